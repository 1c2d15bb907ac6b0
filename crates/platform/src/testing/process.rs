//! Starts servers so that none outlives the test: a small guard process waits for the end of its input, which comes
//! when the handle is dropped or the test process dies in whatever way, then stops the server and removes its folder.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Arguments: the signal, the folder to remove or nothing, the command with its arguments.
const GUARD: &str = r#"
signal="$1"; folder="$2"; shift 2
"$@" </dev/null & server=$!
cat >/dev/null
kill -"$signal" "$server" 2>/dev/null
wait "$server" 2>/dev/null
[ -z "$folder" ] || rm -rf -- "$folder"
"#;

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    guard: Child,
}

impl Server {
    /// Starts a command whose output goes to `log`. `remove` is the folder that goes with it.
    pub(super) fn start(command: &[String], signal: &str, log: &Path, remove: Option<&Path>) -> Self {
        let output = File::create(log).unwrap_or_else(|error| panic!("{} cannot be written: {error}", log.display()));
        let errors = output.try_clone().unwrap_or_else(|error| panic!("the log cannot be shared: {error}"));
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", signal])
            .arg(remove.map(Path::as_os_str).unwrap_or_default())
            .args(command)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn();
        Self { guard: guard.unwrap_or_else(|error| panic!("sh cannot be started: {error}")) }
    }

    /// Waits until the server listens on the port.
    pub(super) fn wait_for_port(&mut self, port: u16, log: &Path) {
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = self.guard.try_wait().is_ok_and(|status| status.is_some());
            let late = ended || start.elapsed() > START_LIMIT;
            assert!(
                !late,
                "the server does not listen; its log:\n{}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // Nothing can be done about a guard that cannot be waited for.
        let _ = self.guard.wait();
    }
}

/// A port that nobody listens on now.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.unwrap_or_else(|error| panic!("no loopback port is free: {error}")).port()
}

/// Finds a program in `PATH`, in the folder of test tools, or in `elsewhere`.
pub(super) fn find(program: &str, elsewhere: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = std::env::var_os("TOCSIN_TEST_TOOLS").map(|folder| PathBuf::from(folder).join("bin"));
    let folders = std::env::split_paths(&path).chain(tools).chain(elsewhere.iter().cloned());
    let found = folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| {
        panic!("`{program}` is neither in PATH nor in the folder $TOCSIN_TEST_TOOLS/bin: `make test` installs it and sets that variable")
    })
}

/// Runs a short command to its end.
pub(super) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
