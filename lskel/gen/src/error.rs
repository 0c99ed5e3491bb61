// SPDX-License-Identifier: GPL-2.0

//! Errors: each names the cause and, where there is one, the remedy.

use std::io;
use std::path::{Path, PathBuf};

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no skeleton.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or program could not be used.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was being done, as in "read".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The input is not what this tool takes.
    #[error("{0}")]
    Input(String),
    /// clang refused the source.
    #[error("clang does not compile {source_file}:\n{}", log.trim_end())]
    Clang {
        /// The source.
        source_file: String,
        /// What clang said.
        log: String,
    },
    /// libbpf refused the object.
    #[error("libbpf cannot {step}: {cause}")]
    Libbpf {
        /// What was being done.
        step: String,
        /// libbpf's own words.
        cause: String,
    },
    /// libbpf crashed, or took too long.
    #[error(
        "libbpf {how}; the object is damaged, or libbpf has a bug{}",
        last_words(log)
    )]
    Crash {
        /// How it ended.
        how: String,
        /// What it said before.
        log: String,
    },
    /// A light skeleton cannot express something in the object.
    #[error("{what}; {remedy}")]
    Unsupported {
        /// The map, prog, section or relocation and what is wrong with it.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Something was wrong with one object of several.
    #[error("{object}")]
    Object {
        /// The object.
        object: String,
        /// What was wrong.
        source: Box<Error>,
    },
}

fn last_words(log: &str) -> String {
    match log.trim_end() {
        "" => String::new(),
        log => format!(". Before that it said: {log}"),
    }
}

impl Error {
    /// For use with [`std::result::Result::map_err`].
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            what,
            path: path.into(),
            source,
        }
    }

    /// Says what is not possible and what to do.
    pub(crate) fn unsupported(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unsupported {
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The message with its causes.
    pub(crate) fn chain(&self) -> String {
        let causes = std::iter::successors(Some(self as &dyn std::error::Error), |e| e.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        causes.join(": ")
    }

    /// Says which object it was.
    pub(crate) fn in_object(self, object: &str) -> Self {
        Self::Object {
            object: object.into(),
            source: Box::new(self),
        }
    }
}
