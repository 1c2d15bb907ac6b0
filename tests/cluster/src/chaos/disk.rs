//! Small disks that can be filled: for the stores of NATS, and for an embedded installation on SQLite beside the
//! cluster, whose promise holds as well.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tocsin_tests::answers::{Answered, Answers, report_once};
use tocsin_tests::cast::Cast;
use tocsin_tests::clients::Clients;
use tocsin_tests::installation::Installation;
use tocsin_tests::process::{first_key, http, wait_until};
use tocsin_tests::program::binary;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::stage::roster;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::all_cases;
use tocsin_tests::{Outcome, Trouble};

use crate::cluster::logs;
use crate::process::{Launch, Process};
use crate::programs::{is_root, run};
use crate::register::{End, Register};

/// Room for the databases of an embedded installation.
const SQLITE_MIB: usize = 16;
/// Reports before the disk is full, so that there is something to lose.
const REPORTS: usize = 40;
/// How long the disk stays full.
const FULL_FOR: Duration = Duration::from_secs(3);
/// How long the installation may take to work again, and its reports to become cases.
const LIMIT: Duration = Duration::from_mins(1);

/// A file system in memory, of this size.
pub fn mount(folder: &Path, mebibytes: usize, register: &Register) -> Outcome<()> {
    if !is_root() {
        return Err(Trouble::new("only root may mount a small disk"));
    }
    fs::create_dir_all(folder)?;
    register.change(|running| running.mounts.push(folder.to_owned()))?;
    let size = format!("size={mebibytes}m");
    run(&["mount", "-t", "tmpfs", "-o", &size, "tocsin-chaos", &folder.display().to_string()]).map(|_| ())
}

fn unmount(folder: &Path, register: &Register) -> Outcome<()> {
    run(&["umount", &folder.display().to_string()])?;
    register.change(|running| running.mounts.retain(|mounted| mounted != folder))
}

fn ballast(folder: &Path) -> PathBuf {
    folder.join("ballast")
}

/// Fills the disk of this folder to the last byte.
pub fn fill(folder: &Path) -> Outcome<()> {
    let mut file = File::create(ballast(folder))?;
    // Large pieces first, then what is left in small ones.
    for size in [1 << 20, 4096, 1] {
        let piece = vec![0_u8; size];
        loop {
            match file.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Makes room again.
pub fn free(folder: &Path) -> Outcome<()> {
    Ok(fs::remove_file(ballast(folder))?)
}

/// An embedded installation that takes reports, has a full disk, gets room and goes on without a restart.
struct Embedded {
    installation: Installation,
    process: Process,
    http: reqwest::Client,
    answers: Answers,
    sent: usize,
}

/// What the full disk came to.
#[derive(Debug, Clone, Copy)]
pub struct Filled {
    /// Reports that were answered with success, each of which is a case.
    pub reports: usize,
    /// From the moment at which there was room until a report was taken.
    pub recovered: Duration,
}

/// Fills the disk of an embedded installation and proves that nothing it promised is lost.
pub async fn embedded(folder: &Path, receivers: &Receivers, report: &Value, register: &Register) -> Outcome<Filled> {
    let mut embedded = Embedded::start(folder, receivers, register).await?;
    let data = embedded.installation.data();
    for _ in 0..REPORTS {
        embedded.report(report).await?;
    }
    fill(&data)?;
    let (full, before) = (Instant::now(), embedded.answers.unanswered.len());
    while full.elapsed() < FULL_FOR {
        embedded.report(report).await?;
    }
    ensure(embedded.answers.unanswered.len() > before, || "a full disk refused no report".to_owned())?;
    free(&data)?;
    let freed = Instant::now();
    while !embedded.report(report).await? {
        ensure(freed.elapsed() < LIMIT, || format!("no report is taken {LIMIT:?} after there was room again"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let recovered = freed.elapsed();
    ensure(embedded.process.ended()?.is_none(), || "the process ended on a full disk".to_owned())?;
    let reports = embedded.prove().await?;
    embedded.process.kill()?;
    unmount(&data, register)?;
    Ok(Filled { reports, recovered })
}

impl Embedded {
    async fn start(folder: &Path, receivers: &Receivers, register: &Register) -> Outcome<Self> {
        let installation = Installation::embedded_in(folder, receivers, &roster())?;
        mount(&installation.data(), SQLITE_MIB, register)?;
        fs::create_dir_all(installation.logs())?;
        let settings = installation.settings().display().to_string();
        let launch = Launch {
            name: "embedded".to_owned(),
            command: [&binary()?.display().to_string(), "--config", &settings, "up"].map(str::to_owned).to_vec(),
            environment: Vec::new(),
            output: installation.logs().join("up.out"),
            log: logs(folder).join("embedded.err"),
            end: End::Service,
        };
        let process = Process::start(launch, register)?;
        let client = http()?;
        for (name, door) in installation.doors.all() {
            let url = format!("http://{}/readyz", door.http);
            wait_until(&format!("{name} of the embedded installation is ready"), LIMIT, async || {
                let status = client.get(&url).send().await?.status();
                Ok(status.is_success().then_some(()))
            })
            .await?;
        }
        Ok(Self { installation, process, http: client, answers: Answers::default(), sent: 0 })
    }

    /// Reports once with a new key; whether it was taken.
    async fn report(&mut self, report: &Value) -> Outcome<bool> {
        self.sent += 1;
        let key = format!("small-disk-{}", self.sent);
        let url = format!("http://{}/v1/reports", self.installation.doors.intake.http);
        let answered = report_once(&self.http, &url, report, &key).await;
        let accepted = matches!(answered, Answered::Accepted(_));
        self.answers.note(key, answered);
        Ok(accepted)
    }

    /// Every report that was taken is a case, once.
    async fn prove(&self) -> Outcome<usize> {
        let refused = self.answers.refused.first();
        ensure(refused.is_none(), || format!("good reports were refused: {}", refused.cloned().unwrap_or_default()))?;
        let clients = Clients::of(&self.installation.doors)?;
        let cast = Cast::assemble(&clients, &first_key(&self.installation.logs()).await?).await?;
        let promised: BTreeSet<_> = self.answers.accepted.values().map(|accepted| accepted.report_id.clone()).collect();
        wait_until("every report taken on the small disk is a case", LIMIT, async || {
            let cases = all_cases(&clients, &cast.coordinator).await?;
            let found: BTreeSet<_> = cases.iter().map(|case| case.report_id.clone()).collect();
            ensure_equal(found.len(), cases.len(), "cases of different reports")?;
            Ok(promised.is_subset(&found).then_some(()))
        })
        .await?;
        Ok(promised.len())
    }
}
