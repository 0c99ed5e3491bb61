// SPDX-License-Identifier: GPL-2.0
//! Initramfs images, made in memory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};
use cpio::newc::ModeFileType;
use cpio::NewcBuilder;

use crate::machine::Machine;

/// An initramfs to be.
#[derive(Clone)]
pub struct Initramfs {
    /// Whose programs go in.
    machine: &'static Machine,
    /// By their paths in the guest.
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Initramfs {
    /// An empty one.
    pub fn new(machine: &'static Machine) -> Self {
        Initramfs {
            machine,
            files: BTreeMap::new(),
        }
    }

    /// Adds a file of the host.
    pub fn file(&mut self, inside: impl Into<PathBuf>, outside: &Path) -> Result<()> {
        let data = fs::read(outside).with_context(|| format!("reading {}", outside.display()))?;
        self.files.insert(inside.into(), data);
        Ok(())
    }

    /// Adds a file with this content.
    pub fn bytes(&mut self, inside: impl Into<PathBuf>, content: &[u8]) {
        self.files.insert(inside.into(), content.to_owned());
    }

    /// Takes a file out.
    pub fn remove(&mut self, inside: &str) {
        self.files.remove(Path::new(inside));
    }

    /// Adds a program of Debian's, by its path there, with the shared libraries that it needs.
    pub fn program(&mut self, inside: &str, path: &str) -> Result<()> {
        let outside = &self.in_root(path);
        self.file(inside, outside)?;
        let tree = lddtree::DependencyAnalyzer::new(self.machine.root())
            // lddtree 0.4 puts the root twice before what ld.so.conf says.
            .add_library_path(self.machine.libraries())
            .analyze(outside)
            .with_context(|| format!("reading the libraries of {}", outside.display()))?;
        if let Some(interpreter) = &tree.interpreter {
            self.file(interpreter, &self.in_root(interpreter))?;
        }
        for library in tree.libraries.values() {
            ensure!(
                library.found(),
                "{} needs {}, which is not there",
                outside.display(),
                library.name
            );
            // The interpreter looks in /lib first; its own line is in the list too, with its own place.
            if tree.interpreter.as_deref() != Some(&library.name) {
                self.file(Path::new("/lib").join(&library.name), &library.path)?;
            }
        }
        Ok(())
    }

    fn in_root(&self, path: &str) -> PathBuf {
        self.machine.root().join(path.trim_start_matches('/'))
    }

    /// Adds modules, by their names, where modprobe finds them, with the indexes that depmod makes.
    pub fn modprobe<'a>(
        &mut self,
        release: &str,
        modules: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<()> {
        self.program("/sbin/modprobe", "/sbin/modprobe")?;
        // The toolchain root's /run is this run's own: even after a Ctrl-C nothing of it stays.
        let top = tempfile::tempdir_in("/run")?;
        let folder = Path::new("lib/modules").join(release);
        fs::create_dir_all(top.path().join(&folder).join("updates"))?;
        for (module, content) in modules {
            let file = folder.join("updates").join(module).with_extension("ko");
            fs::write(top.path().join(&file), content)
                .with_context(|| format!("writing {}", file.display()))?;
            self.bytes(Path::new("/").join(&file), content);
        }
        let output = Command::new("depmod")
            .arg("-b")
            .arg(top.path())
            .arg(release)
            .output()
            .context("running depmod")?;
        ensure!(output.status.success(), "depmod: {output:?}");
        for entry in fs::read_dir(top.path().join(&folder))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let inside = Path::new("/").join(&folder).join(entry.file_name());
                self.file(inside, &entry.path())?;
            }
        }
        Ok(())
    }

    /// The cpio archive: folders before what is in them.
    pub fn archive(&self) -> Result<Vec<u8>> {
        let mut entries: BTreeMap<&Path, Option<&[u8]>> = BTreeMap::new();
        for (path, data) in &self.files {
            for folder in path.ancestors().skip(1) {
                entries.insert(folder, None);
            }
            entries.insert(path, Some(data));
        }
        // The kernel mounts devtmpfs here, or the guest does.
        entries.insert(Path::new("/dev"), None);
        entries.remove(Path::new("/"));
        let mut archive = cpio::write_cpio(
            entries.into_iter().map(|(path, data)| {
                let name = path.strip_prefix("/").unwrap_or(path).to_string_lossy();
                let entry = NewcBuilder::new(&name).mode(0o755);
                let entry = entry.set_mode_file_type(match data {
                    Some(_) => ModeFileType::Regular,
                    None => ModeFileType::Directory,
                });
                (entry, Cursor::new(data.unwrap_or_default()))
            }),
            Cursor::new(Vec::new()),
        )?;
        archive.flush()?;
        Ok(archive.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Initramfs;
    use crate::machine;

    #[test]
    fn archive_has_each_folder_before_its_files() {
        let mut initramfs = Initramfs::new(machine::find("amd64").unwrap());
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(outside.path(), "text").unwrap();
        initramfs.file("/a/b/c", outside.path()).unwrap();
        let archive = initramfs.archive().unwrap();
        let mut rest = &archive[..];
        let mut seen = Vec::new();
        loop {
            let reader = cpio::NewcReader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            seen.push((
                reader.entry().name().to_owned(),
                reader.entry().mode(),
                reader.entry().file_size(),
            ));
            rest = reader.finish().unwrap();
        }
        let expected = [
            ("a", 0o040755, 0),
            ("a/b", 0o040755, 0),
            ("a/b/c", 0o100755, 4),
            ("dev", 0o040755, 0),
        ];
        let expected: Vec<_> = expected
            .map(|(name, mode, size)| (name.to_owned(), mode, size))
            .into();
        assert_eq!(seen, expected);
    }

    #[test]
    fn missing_file_is_named() {
        let error = Initramfs::new(machine::find("amd64").unwrap())
            .file("/x", Path::new("/no/such/file"))
            .unwrap_err();
        assert!(format!("{error:#}").contains("/no/such/file"), "{error:#}");
    }
}
