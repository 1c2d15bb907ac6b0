//! `make chaos`: kills, cuts, full disks and clocks that jump while everybody works, and whether everything that was
//! promised was kept.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use tocsin_cluster::chaos::forward::Forward;
use tocsin_cluster::chaos::plan::{Counts, Fault, Kind, plan};
use tocsin_cluster::chaos::table::{print_faults, print_verdict};
use tocsin_cluster::chaos::trial::{Form, Trial};
use tocsin_cluster::register::Register;
use tocsin_tests::{Outcome, Trouble};

/// The longest that faults may go on; what is left of the plan then is named as missing.
const FAULTS_TIME_MAX: Duration = Duration::from_mins(15);
/// Restarts of the rolling form.
const RESTARTS: usize = 100;
/// How long a notice may take while processes are restarted in order: well below a lease and an acknowledgement's wait,
/// which a process that ends in order must not leave to run out.
const ROLLING_DELAY_MAX: Duration = Duration::from_secs(15);
/// Kills that the long form promises.
const KILLS_MIN: usize = 200;

/// Faults under load, and the proof that nothing promised was lost.
#[derive(Debug, Parser)]
#[command(name = "tocsin-chaos", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// About two minutes instead of ten.
    #[arg(long)]
    short: bool,
    /// No faults, but 100 orderly restarts, one process after another.
    #[arg(long)]
    rolling: bool,
    /// Repeats the faults of an earlier run, which printed it.
    #[arg(long)]
    seed: Option<u64>,
    /// Only these kinds of faults, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Keep logs and data also when every promise was kept.
    #[arg(long)]
    keep: bool,
    #[command(subcommand)]
    inner: Option<Inner>,
}

/// What the trial starts of itself.
#[derive(Debug, Subcommand)]
enum Inner {
    /// Waits for the end of its input, then takes down what the folder's register names.
    #[command(hide = true)]
    Sweep {
        /// The trial's folder.
        folder: PathBuf,
    },
    /// Carries connections.
    #[command(hide = true)]
    Forward {
        /// Written as from=to.
        addresses: Vec<Forward>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.inner {
        Some(Inner::Sweep { folder }) => sweep(folder),
        Some(Inner::Forward { addresses }) => forward(addresses).await,
        None => in_folder(&arguments).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("{}", trouble.text());
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    eprintln!("  {text}");
}

/// Runs the trial in a folder of its own, which stays when something is to be looked at. Whatever happens to this
/// process, the sweeper takes everything down that was started.
async fn in_folder(arguments: &Arguments) -> Outcome<bool> {
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("seed {seed} (--seed {seed} makes the same faults again)");
    let folder = tempfile::Builder::new().prefix("tocsin-chaos-").tempdir()?.keep();
    let register = Register::new(&folder)?;
    // PostgreSQL runs as somebody else and must reach its own folder in here.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(&folder, open)?;
    let sweeper = start_sweeper(&folder)?;
    let good = tokio::select! {
        good = trial(arguments, &folder, register, seed) => good,
        asked = tokio::signal::ctrl_c() => Err(asked.map_or_else(Trouble::from, |()| Trouble::new("interrupted"))),
    };
    // The folder stays when something in it could not be taken down: its register says what.
    let swept = take_down(sweeper);
    let good = good.and_then(|good| swept.map(|()| good));
    match good {
        Ok(true) if !arguments.keep => std::fs::remove_dir_all(&folder)?,
        Ok(_) | Err(_) => println!("seed {seed}; logs and data are kept in {}", folder.display()),
    }
    good
}

fn start_sweeper(folder: &Path) -> Outcome<Child> {
    let mut command = Command::new("setsid");
    command.arg(std::env::current_exe()?).arg("sweep").arg(folder);
    Ok(command.stdin(Stdio::piped()).spawn()?)
}

fn take_down(mut sweeper: Child) -> Outcome<()> {
    drop(sweeper.stdin.take());
    let status = sweeper.wait()?;
    if status.success() { Ok(()) } else { Err(Trouble::new("not everything could be taken down")) }
}

fn sweep(folder: &Path) -> Outcome<bool> {
    let mut input = Vec::new();
    // Its end is all that matters; it comes in whatever way the trial ends.
    let _ = std::io::stdin().read_to_end(&mut input);
    if let Some(running) = Register::read(folder)? {
        running.end(folder, false, &|text| {
            if !text.ends_with(" ended") {
                eprintln!("  {text}");
            }
        })?;
    }
    Ok(true)
}

async fn forward(addresses: &[Forward]) -> Outcome<bool> {
    let carriers = addresses.iter().map(|address| address.carry());
    futures::future::try_join_all(carriers).await?;
    Ok(true)
}

async fn trial(arguments: &Arguments, folder: &Path, register: Register, seed: u64) -> Outcome<bool> {
    let form = if arguments.rolling { Form::Plain } else { Form::Chaos };
    let mut trial = Trial::raise(folder, register, seed, form, &say).await?;
    let mut missing = Vec::new();
    if arguments.rolling {
        let rolled = trial.roll(RESTARTS, &say).await?;
        println!(
            "rolling restarts {} | longest drain {:.2} s | longest start {:.2} s",
            rolled.restarts,
            rolled.drained.as_secs_f64(),
            rolled.ready.as_secs_f64()
        );
        if rolled.restarts < RESTARTS {
            missing.push(format!("only {} of {RESTARTS} restarts were made", rolled.restarts));
        }
    } else {
        let counts = if arguments.short { Counts::SHORT } else { Counts::LONG };
        missing.extend(make_all(&mut trial, &plan(seed, &counts, &arguments.only)).await);
        let killed: usize = trial.rows.values().map(|row| row.killed).sum();
        if !arguments.short && arguments.only.is_empty() && killed < KILLS_MIN {
            missing.push(format!("only {killed} processes were killed, {KILLS_MIN} are promised"));
        }
    }
    let (mut verdict, rested) = trial.conclude().await?;
    if arguments.rolling && verdict.slowest.0 > ROLLING_DELAY_MAX {
        missing.push(format!("an orderly restart delayed a notice by {:?}: {}", verdict.slowest.0, verdict.slowest.1));
    }
    verdict.wrong.extend(missing);
    let retries = trial.houses.ledger.with(|promises| promises.retries);
    if !arguments.rolling {
        print_faults(&trial.rows);
    }
    print_verdict(&verdict, retries, rested);
    println!("{}", if verdict.is_good() { "every promise was kept" } else { "promises were broken" });
    Ok(verdict.is_good())
}

/// Makes one fault after another; returns what prevented the rest.
async fn make_all(trial: &mut Trial, faults: &[Fault]) -> Option<String> {
    let started = Instant::now();
    for (done, fault) in faults.iter().enumerate() {
        if started.elapsed() > FAULTS_TIME_MAX {
            return Some(format!("time ended after {done} of {} faults", faults.len()));
        }
        if trial.somebody_gave_up() {
            return Some(format!("somebody gave up after {done} of {} faults", faults.len()));
        }
        if let Err(trouble) = trial.make(fault, &say).await {
            return Some(format!("{fault:?}, fault {done}: {}", trouble.text()));
        }
    }
    None
}
