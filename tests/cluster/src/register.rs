//! What was started, in a file: so that whoever ends it later, also after a crash, ends exactly that and never another
//! process which was given the same number since.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tocsin_tests::{Outcome, Trouble};

use crate::programs::run;

/// The name of the file in the cluster's folder.
const FILE: &str = "running.json";
/// How long a member may take to drain before it is killed: longer than `limits.drain_seconds_max`.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long a killed one may take to be gone.
const KILLED_PATIENCE: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How a member is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// SIGTERM first: a service, which drains into what runs below it.
    Service,
    /// SIGTERM after the services: what they send to.
    Sink,
    /// SIGTERM after those: a server below the services.
    Server,
    /// SIGINT, which PostgreSQL reads as "cut connections and stop"; SIGQUIT ends its children too where SIGKILL would
    /// not.
    Postgres,
}

/// One process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its name in the cluster.
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// When it began, in the kernel's ticks since the start of the machine; with the number it names one process.
    pub began: u64,
    /// How it is ended.
    pub end: End,
}

impl Recorded {
    /// Whether this very process still runs.
    pub fn lives(&self) -> bool {
        began(self.pid) == Some(self.began)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw).filter(|_| self.lives()) {
            // It may end between the look and the signal, and then there is nothing to do.
            let _ = kill_process(pid, signal);
        }
    }
}

/// What the file holds.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Running {
    /// Which run of the machine it belongs to: numbers of an earlier one mean nothing.
    boot: String,
    /// The processes, in the order in which they were started.
    pub processes: Vec<Recorded>,
    /// Network namespaces that were made.
    pub namespaces: Vec<String>,
    /// Network links that were made.
    pub links: Vec<String>,
    /// File systems that were mounted.
    pub mounts: Vec<PathBuf>,
}

/// The file, kept current while members come and go.
#[derive(Debug)]
pub struct Register {
    path: PathBuf,
    running: Mutex<Running>,
}

impl Register {
    /// An empty one in this folder.
    pub fn new(folder: &Path) -> Outcome<Self> {
        let register =
            Self { path: folder.join(FILE), running: Mutex::new(Running { boot: boot(), ..Running::default() }) };
        register.change(|_| ())?;
        Ok(register)
    }

    /// What was started in this folder, or nothing.
    pub fn read(folder: &Path) -> Outcome<Option<Running>> {
        let text = match fs::read(folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let running: Running = serde_json::from_slice(&text)?;
        Ok(Some(running).filter(|running| running.boot == boot()))
    }

    /// Notes a change before anybody can depend on it.
    pub fn change(&self, change: impl FnOnce(&mut Running)) -> Outcome<()> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running);
        running.write(&self.path)
    }

    /// Notes a process that was just started.
    pub fn note(&self, name: &str, pid: u32, end: End) -> Outcome<()> {
        let began = began(pid).ok_or_else(|| Trouble::new(format!("{name} ended at once; look at its log")))?;
        self.change(|running| {
            running.processes.retain(|process| process.name != name);
            running.processes.push(Recorded { name: name.to_owned(), pid, began, end });
        })
    }
}

impl Running {
    /// Ends everything in order: services drain first, then what they send to and stand on. Says what each came to. What
    /// cannot be taken down is an error and stays in the file, for whoever tries again; the rest goes all the same.
    pub fn end(&self, folder: &Path, gently: bool, tell: &dyn Fn(&str)) -> Outcome<()> {
        for step in [End::Service, End::Sink, End::Server, End::Postgres] {
            let members: Vec<_> = self.processes.iter().filter(|process| process.end == step).collect();
            end_together(&members, gently, tell);
        }
        let unmount = |mount: &PathBuf| run(&["umount", "--lazy", &mount.display().to_string()]);
        let mounts = take_down(&self.mounts, |mount| is_mounted(mount), unmount, tell);
        let is_link = |link: &String| Path::new("/sys/class/net").join(link).exists();
        let links = take_down(&self.links, is_link, |link| run(&["ip", "link", "delete", link]), tell);
        let is_namespace = |name: &String| Path::new("/var/run/netns").join(name).exists();
        let delete = |name: &String| run(&["ip", "netns", "delete", name]);
        let namespaces = take_down(&self.namespaces, is_namespace, delete, tell);
        let processes: Vec<_> = self.processes.iter().filter(|process| process.lives()).cloned().collect();
        let file = folder.join(FILE);
        if processes.is_empty() && mounts.is_empty() && links.is_empty() && namespaces.is_empty() {
            return Ok(fs::remove_file(file)?);
        }
        Self { boot: self.boot.clone(), processes, namespaces, links, mounts }.write(&file)?;
        Err(Trouble::new(format!("not everything could be taken down; {} names what is left", file.display())))
    }

    fn write(&self, path: &Path) -> Outcome<()> {
        // Whoever reads it never sees half of it.
        let whole = path.with_extension("new");
        fs::write(&whole, serde_json::to_vec_pretty(self)?)?;
        Ok(fs::rename(whole, path)?)
    }
}

/// Takes down what is there: it was noted before it was made, and may never have been. Names what it cannot, and returns
/// it.
fn take_down<T: Clone>(
    things: &[T],
    is_there: impl Fn(&T) -> bool,
    remove: impl Fn(&T) -> Outcome<String>,
    tell: &dyn Fn(&str),
) -> Vec<T> {
    let stays = |thing: &&T| is_there(thing) && remove(thing).inspect_err(|trouble| tell(trouble.text())).is_err();
    things.iter().filter(stays).cloned().collect()
}

/// Whether a folder is the root of another file system than the folder around it.
fn is_mounted(folder: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    let own = device(folder);
    own.is_some() && own != folder.parent().and_then(device)
}

fn end_together(members: &[&Recorded], gently: bool, tell: &dyn Fn(&str)) {
    for member in members {
        // A stopped process would never read the signal.
        member.signal(Signal::CONT);
        member.signal(match (member.end, gently) {
            (End::Postgres, true) => Signal::INT,
            (End::Postgres, false) => Signal::QUIT,
            (_, true) => Signal::TERM,
            (_, false) => Signal::KILL,
        });
    }
    let asked = Instant::now();
    for member in members {
        if !ends(member, asked, PATIENCE) {
            tell(&format!("{} did not end within {} s and is killed", member.name, PATIENCE.as_secs()));
            member.signal(Signal::KILL);
            if !ends(member, Instant::now(), KILLED_PATIENCE) {
                tell(&format!("{} (pid {}) lives on although it was killed", member.name, member.pid));
                continue;
            }
        }
        tell(&format!("{} ended", member.name));
    }
}

fn ends(member: &Recorded, asked: Instant, patience: Duration) -> bool {
    while member.lives() {
        if asked.elapsed() >= patience {
            return false;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    true
}

/// When a process began, if it runs; a dead one that nobody has buried yet does not.
fn began(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, so fields are counted after the last of them.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    match fields.first()? {
        &"Z" | &"X" => None,
        _ => fields.get(19)?.parse().ok(),
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn ends_what_was_started_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let register = Register::new(folder.path()).unwrap();
        let sleeper = || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let (mut ours, mut other) = (sleeper(), sleeper());
        register.note("ours", ours.id(), End::Service).unwrap();
        // A number that belongs to somebody else by now: it began at another moment.
        register
            .change(|running| {
                let recycled = Recorded { name: "gone".into(), pid: other.id(), began: 1, end: End::Server };
                running.processes.push(recycled);
            })
            .unwrap();
        let running = Register::read(folder.path()).unwrap().unwrap();
        assert!(running.processes[0].lives() && !running.processes[1].lives());
        running.end(folder.path(), true, &|_| ()).unwrap();
        assert!(!running.processes[0].lives());
        assert!(other.try_wait().unwrap().is_none(), "a process that is not ours was ended");
        assert!(Register::read(folder.path()).unwrap().is_none());
        other.kill().unwrap();
        ours.wait().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn what_cannot_be_taken_down_is_an_error_and_stays_noted() {
        let folder = tempfile::tempdir().unwrap();
        let register = Register::new(folder.path()).unwrap();
        register
            .change(|running| {
                // No kernel lets anybody delete its loopback; the others were noted and never made.
                running.links.extend(["lo".to_owned(), "tcs-never".to_owned()]);
                running.namespaces.push("tcs-never".to_owned());
                running.mounts.push(folder.path().join("never"));
            })
            .unwrap();
        let end = || Register::read(folder.path()).unwrap().unwrap().end(folder.path(), false, &|_| ());
        assert!(end().unwrap_err().text().contains("running.json names what is left"));
        let left = Register::read(folder.path()).unwrap().unwrap();
        assert_eq!((left.links, left.namespaces, left.mounts), (vec!["lo".to_owned()], vec![], vec![]));
        register.change(|running| *running = Running { boot: boot(), ..Running::default() }).unwrap();
        end().unwrap();
        assert!(Register::read(folder.path()).unwrap().is_none());
    }
}
