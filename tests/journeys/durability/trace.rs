//! strace on running processes, and what it saw as a list of calls in the order in which they happened.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tocsin_tests::process::wait_until;
use tocsin_tests::tools::find;
use tocsin_tests::trouble::ensure;
use tocsin_tests::{Outcome, Trouble};

/// What is watched: what takes a request in, sends an answer, and brings a file to the disk.
const CALLS: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync";
const LIMIT: Duration = Duration::from_secs(20);

/// A system call: begun, or ended where it is a sync.
#[derive(Debug)]
pub(super) struct Call {
    name: String,
    /// Whether it had succeeded at this place of the list; only asked of syncs.
    finished: bool,
    /// Its arguments, with the names of files.
    pub(super) text: String,
}

impl Call {
    pub(super) fn is_input(&self) -> bool {
        matches!(self.name.as_str(), "read" | "readv" | "recvfrom" | "recvmsg")
    }

    pub(super) fn is_output(&self) -> bool {
        matches!(self.name.as_str(), "write" | "writev" | "sendto" | "sendmsg")
    }

    pub(super) fn is_finished_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync") && self.finished
    }
}

/// A running strace. It lets go of the processes when it ends, in whatever way.
pub(super) struct Trace {
    strace: Child,
    output: PathBuf,
}

impl Trace {
    /// Watches these processes and what they start. `None` where processes may not be traced.
    pub(super) async fn attach(pids: &[u32], output: &Path) -> Outcome<Option<Self>> {
        let mut command = Command::new(find("strace")?);
        command.args(["-f", "-y", "-s", "160", "-e", CALLS, "-e", "signal=none", "-o"]).arg(output);
        command.args(pids.iter().map(|pid| format!("--attach={pid}")));
        let errors = output.with_extension("errors");
        let said = std::fs::File::create(&errors)?;
        let strace = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn()?;
        let mut trace = Self { strace, output: output.to_owned() };
        let attached = wait_until("strace holds the processes", LIMIT, async || {
            if trace.strace.try_wait()?.is_some() {
                let said = std::fs::read_to_string(&errors)?;
                ensure(said.contains("not permitted"), || format!("strace ended: {said}"))?;
                return Ok(Some(false));
            }
            let held = pids.iter().all(|pid| is_held(*pid));
            Ok(held.then_some(true))
        })
        .await?;
        Ok(attached.then_some(trace))
    }

    /// Lets the processes go and reads what was seen.
    pub(super) async fn finish(mut self) -> Outcome<Vec<Call>> {
        let pid = i32::try_from(self.strace.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or_else(|| Trouble::new("strace has no process id"))?, Signal::INT)?;
        wait_until("strace ends", LIMIT, async || Ok(self.strace.try_wait()?)).await?;
        Ok(calls(&std::fs::read_to_string(&self.output)?))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Whether every thread of a process has a tracer. A process that ended meanwhile has nothing more to show.
fn is_held(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

/// Reads strace's lines, each of which begins with the thread: `12 fsync(5</a>) = 0`, `12 fsync(5</a> <unfinished ...>`
/// and later `12 <... fsync resumed>) = 0`. A call stands where it began, a sync also where it ended; a reading call
/// has its text only at its end, which is where it stands.
fn calls(text: &str) -> Vec<Call> {
    let mut found = Vec::new();
    let mut begun: HashMap<&str, String> = HashMap::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.trim_start().split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((name, end)) = resumed.split_once(" resumed>") else { continue };
            let before = begun.remove(thread).unwrap_or_default();
            let call = call(name, &format!("{before}{end}"));
            // What was written was seen where the call began.
            if !call.is_output() {
                found.push(call);
            }
        } else if let Some((name, arguments)) = rest.split_once('(') {
            if let Some(part) = arguments.strip_suffix("<unfinished ...>") {
                begun.insert(thread, part.to_owned());
                let call = call(name, part);
                if call.is_output() {
                    found.push(call);
                }
            } else {
                found.push(call(name, arguments));
            }
        }
    }
    found
}

fn call(name: &str, arguments: &str) -> Call {
    let result = arguments.rsplit_once('=').map(|(_, result)| result.trim());
    Call { name: name.to_owned(), finished: result == Some("0"), text: arguments.to_owned() }
}

#[test]
fn the_lines_of_strace_are_put_in_order() {
    let text = "\
12 recvfrom(9<TCP:[1]>, \"POST /v1/reports HTTP/1.1\", 4096, 0, NULL, NULL) = 25
13 fdatasync(5</a/intake.sqlite-wal> <unfinished ...>
12 write(3<eventfd>, \"1\", 8) = 8
13 <... fdatasync resumed>)          = 0
12 sendto(9<TCP:[1]>, \"HTTP/1.1 201 Created\", 20, 0, NULL, 0 <unfinished ...>
13 fsync(6</b>) = -1 EIO (Input/output error)
12 <... sendto resumed>) = 20
";
    let calls = calls(text);
    let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["recvfrom", "write", "fdatasync", "sendto", "fsync"]);
    let synced: Vec<_> = calls.iter().map(Call::is_finished_sync).collect();
    assert_eq!(synced, [false, false, true, false, false]);
    assert!(calls[2].text.contains("intake.sqlite-wal"));
}
