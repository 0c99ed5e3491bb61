// SPDX-License-Identifier: GPL-2.0

//! The objects to work on: given, or compiled from C for both byte orders.

use crate::elf::Elf;
use crate::skeleton::ByteOrder;
use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// One source, or one pair of objects.
#[derive(Debug)]
pub struct Input {
    /// What it is called: the file's name without `.bpf.c` or `.bpf.o`.
    pub name: String,
    /// The file that the generated files name as their origin.
    pub origin: String,
    /// The source, if it was compiled here.
    pub source: Option<PathBuf>,
    /// clang's version, if it was compiled here.
    pub clang: Option<String>,
    /// One object for each byte order that there is.
    pub objects: Vec<InputObject>,
    /// Holds the objects that were compiled here.
    _dir: Option<TempDir>,
}

/// An object of one byte order.
#[derive(Debug, Clone)]
pub struct InputObject {
    /// How messages call it.
    pub label: String,
    /// Where it is.
    pub path: PathBuf,
    /// What its ELF header says.
    pub byte_order: ByteOrder,
}

/// How to compile.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// clang's program.
    pub clang: PathBuf,
    /// More arguments for it.
    pub cflags: Vec<String>,
}

/// Sorts the files by what they make together: each source by itself, objects of one name in pairs.
pub fn collect(files: &[PathBuf], compiler: &Compiler) -> Result<Vec<Input>> {
    let mut inputs: Vec<Input> = Vec::new();
    for file in files {
        let name = name(file)?;
        let same = inputs.iter_mut().find(|input| input.name == name);
        if is_source(file) {
            if same.is_some() {
                return Err(twice(&name));
            }
            inputs.push(compile(name, file, compiler)?);
            continue;
        }
        let object = InputObject {
            label: file.display().to_string(),
            path: file.clone(),
            byte_order: byte_order(file)?,
        };
        match same {
            None => inputs.push(Input {
                origin: file_name(file),
                name,
                source: None,
                clang: None,
                objects: vec![object],
                _dir: None,
            }),
            Some(input) => {
                if let Some(other) = input
                    .objects
                    .iter()
                    .find(|o| o.byte_order == object.byte_order)
                {
                    return Err(Error::Input(format!(
                        "{} and {} are both {}: give one object for each byte order",
                        other.label,
                        object.label,
                        object.byte_order.words()
                    )));
                }
                if input.source.is_some() {
                    return Err(twice(&name));
                }
                input.objects.push(object);
                input.objects.sort_by_key(|object| object.byte_order);
            }
        }
    }
    Ok(inputs)
}

fn twice(name: &str) -> Error {
    Error::Input(format!(
        "'{name}' is given twice: give either its source or its objects"
    ))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "c")
}

/// The name without what names its kind and byte order.
fn name(path: &Path) -> Result<String> {
    let file = file_name(path);
    let mut name = file.as_str();
    for suffix in [
        ".c",
        ".o",
        ".bpf",
        "-little-endian",
        "-big-endian",
        ".bpfel",
        ".bpfeb",
    ] {
        name = name.strip_suffix(suffix).unwrap_or(name);
    }
    if name.is_empty() || name == file {
        return Err(Error::Input(format!(
            "{}: neither NAME.bpf.c nor NAME.bpf.o",
            path.display()
        )));
    }
    let sanitised = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    Ok(name.chars().map(sanitised).collect())
}

fn byte_order(path: &Path) -> Result<ByteOrder> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let elf = Elf::parse(&bytes).map_err(|e| e.in_object(&path.display().to_string()))?;
    Ok(elf.byte_order())
}

/// Compiles a source for both byte orders, so that the folders that were used leave no trace.
fn compile(name: String, source: &Path, compiler: &Compiler) -> Result<Input> {
    let source = fs::canonicalize(source).map_err(Error::io("read", source))?;
    let dir = tempfile::tempdir().map_err(Error::io("make a folder in", &std::env::temp_dir()))?;
    let include = dir.path().join("bpf");
    fs::create_dir(&include).map_err(Error::io("make", &include))?;
    for (header, text) in libbpf_sys::API_HEADERS {
        let header = include.join(header);
        fs::write(&header, text).map_err(Error::io("write", &header))?;
    }

    let origin = file_name(&source);
    let system = system_includes(&compiler.clang)?;
    let mut objects = Vec::new();
    for byte_order in ByteOrder::ALL {
        let path = dir.path().join(format!("{name}-{byte_order}.bpf.o"));
        let output = Command::new(&compiler.clang)
            .current_dir(source.parent().unwrap_or(Path::new("/")))
            .args([
                "-target",
                byte_order.target(),
                "-mcpu=v3",
                "-O2",
                "-g",
                "-Wall",
            ])
            .arg("-fdebug-compilation-dir=.")
            .arg(format!("-ffile-prefix-map={}=.", dir.path().display()))
            .arg("-I")
            .arg(dir.path())
            .args(system.iter().flat_map(|dir| ["-idirafter", dir]))
            .args(&compiler.cflags)
            .args(["-c", &origin, "-o"])
            .arg(&path)
            .output()
            .map_err(Error::io("run", &compiler.clang))?;
        if !output.status.success() {
            return Err(Error::Clang {
                source_file: source.display().to_string(),
                log: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        std::io::Write::write_all(&mut std::io::stderr(), &output.stderr)
            .map_err(Error::io("write", "stderr".as_ref()))?;
        objects.push(InputObject {
            label: format!("{origin} ({})", byte_order.words()),
            path,
            byte_order,
        });
    }
    Ok(Input {
        name,
        origin,
        source: Some(source),
        clang: Some(clang_version(&compiler.clang)?),
        objects,
        _dir: Some(dir),
    })
}

/// The first line of `clang --version`.
fn clang_version(clang: &Path) -> Result<String> {
    let output = Command::new(clang)
        .arg("--version")
        .output()
        .map_err(Error::io("run", clang))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Where clang finds the system's headers for its own machine; for BPF it does not look in all of them.
fn system_includes(clang: &Path) -> Result<Vec<String>> {
    let output = Command::new(clang)
        .args(["-v", "-E", "-x", "c", "/dev/null"])
        .env("LC_ALL", "C")
        .output()
        .map_err(Error::io("run", clang))?;
    let text = String::from_utf8_lossy(&output.stderr);
    Ok(text
        .lines()
        .skip_while(|line| !line.starts_with("#include <...>"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .map(|line| line.trim().to_owned())
        .collect())
}
