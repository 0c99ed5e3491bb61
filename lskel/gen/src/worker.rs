// SPDX-License-Identifier: GPL-2.0

//! libbpf in a process of its own, so that a crash or a hang of it is an error message of ours.

use crate::object::Object;
use crate::skeleton::ByteOrder;
use crate::{libbpf, Error, Result};
use rustix::process::{setrlimit, Resource, Rlimit};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use wait_timeout::ChildExt;

/// The argument that makes `lskel-gen` a worker.
pub const ARGUMENT: &str = "--libbpf-worker";

/// The memory that a worker may have, in bytes.
const MEMORY: u64 = 4 << 30;

/// What a worker is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The object's name.
    pub name: String,
    /// The object.
    pub path: PathBuf,
    /// What its ELF header says.
    pub byte_order: ByteOrder,
    /// Progs of `SEC("?…")` that are to be loaded all the same.
    pub load: Vec<String>,
    /// The kernel's configuration.
    pub kconfig: Option<PathBuf>,
    /// Whether an object without a license will do.
    pub no_license: bool,
    /// Whether to leave out which lines the instructions come from.
    pub no_line_info: bool,
}

/// How to start a worker.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The program: `lskel-gen` itself.
    pub program: PathBuf,
    /// How long one object may take.
    pub time_limit: Duration,
}

/// What a worker answers.
#[derive(Serialize, Deserialize)]
enum Answer {
    Object(Object),
    Libbpf { step: String, cause: String },
    Unsupported { what: String, remedy: String },
    Other(String),
}

impl Worker {
    /// A worker of the running program, which must pass [`ARGUMENT`] on to [`serve`].
    pub fn of_this_program() -> Result<Self> {
        let program = std::env::current_exe().map_err(Error::io("find", "lskel-gen".as_ref()))?;
        Ok(Self {
            program,
            time_limit: Duration::from_secs(60),
        })
    }

    /// Has libbpf load an object in name only.
    pub fn run(&self, request: &Request) -> Result<Object> {
        let (status, answer, log) = self
            .start(request)
            .map_err(Error::io("run", &self.program))?;
        let crash = |how: String| Error::Crash {
            how,
            log: String::from_utf8_lossy(&log).into_owned(),
        };
        let Some(status) = status else {
            return Err(crash(format!(
                "took longer than {} s",
                self.time_limit.as_secs()
            )));
        };
        if let Some(signal) = status.signal() {
            return Err(crash(format!("was ended by signal {signal}")));
        }
        match serde_json::from_slice(&answer) {
            Ok(Answer::Object(object)) => Ok(object),
            Ok(Answer::Libbpf { step, cause }) => Err(Error::Libbpf { step, cause }),
            Ok(Answer::Unsupported { what, remedy }) => Err(Error::Unsupported { what, remedy }),
            Ok(Answer::Other(message)) => Err(Error::Input(message)),
            Err(_) => Err(crash(format!("gave no answer ({status})"))),
        }
    }

    /// Gives the status (none: it took too long), the answer and what was said besides.
    fn start(&self, request: &Request) -> io::Result<(Option<ExitStatus>, Vec<u8>, Vec<u8>)> {
        let mut stdin = tempfile::tempfile()?;
        let mut stdout = tempfile::tempfile()?;
        let mut stderr = tempfile::tempfile()?;
        serde_json::to_writer(&stdin, request)?;
        stdin.rewind()?;
        let mut child = Command::new(&self.program)
            .arg(ARGUMENT)
            .env("LC_ALL", "C")
            .env_remove("LIBBPF_LOG_LEVEL")
            .stdin(Stdio::from(stdin))
            .stdout(Stdio::from(stdout.try_clone()?))
            .stderr(Stdio::from(stderr.try_clone()?))
            .spawn()?;
        let status = child.wait_timeout(self.time_limit)?;
        if status.is_none() {
            child.kill()?;
            child.wait()?;
        }
        let mut answer = Vec::new();
        stdout.rewind()?;
        stdout.read_to_end(&mut answer)?;
        let mut log = Vec::new();
        stderr.rewind()?;
        stderr.take(4096).read_to_end(&mut log)?;
        Ok((status, answer, log))
    }
}

/// What the worker does: reads a request from stdin, writes the answer to stdout.
pub fn serve() -> io::Result<()> {
    let limit = |resource, limit| {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        setrlimit(resource, limit)
    };
    // The address sanitizer maps terabytes.
    if !cfg!(sanitized) {
        limit(Resource::As, MEMORY)?;
    }
    limit(Resource::Core, 0)?;

    let request: Request = serde_json::from_reader(io::stdin())?;
    let answer = match libbpf::run(&request) {
        Ok(object) => Answer::Object(object),
        Err(Error::Libbpf { step, cause }) => Answer::Libbpf { step, cause },
        Err(Error::Unsupported { what, remedy }) => Answer::Unsupported { what, remedy },
        Err(other) => Answer::Other(other.chain()),
    };
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &answer)?;
    stdout.flush()
}
