//! `make cluster`: the distributed form on this machine without containers, for everybody to try.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tocsin_cluster::cluster::{Cluster, Told, logs};
use tocsin_cluster::hosts::Hosts;
use tocsin_cluster::ledger::houses::channel;
use tocsin_cluster::people::{assemble, write_keys};
use tocsin_cluster::process::{Launch, Process};
use tocsin_cluster::register::{End, Recorded, Register};
use tocsin_cluster::settings::{PROCESSES, Plan, name};
use tocsin_cluster::sinks;
use tocsin_tests::clients::Clients;
use tocsin_tests::deployed::Deployed;
use tocsin_tests::installation::SERVICES;
use tocsin_tests::network::Network;
use tocsin_tests::program::{binary, fixture_json};
use tocsin_tests::{Outcome, Trouble};

/// Says that a folder is a cluster's.
const MARK: &str = "made-by-make-cluster";
/// The folders that a start makes.
const MADE: [&str; 10] =
    ["data", "installation", "keys", "logs", "nats-1", "nats-2", "nats-3", "postgres", "secrets", "sinks"];
/// The settings of whoever uses it.
const CLIENT: &str = "client.toml";
/// A report to try it with.
const REPORT: &str = "report.json";

/// Three nodes of NATS, PostgreSQL and two processes of each service, on loopback.
#[derive(Debug, Parser)]
#[command(name = "tocsin-cluster")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything, import an invented network, and leave it running.
    Start(Place),
    /// Say who runs.
    Status(Place),
    /// End exactly what was started.
    Stop(Place),
    /// Be the mail server, the SMS gateway and the webhook receiver; `start` runs this.
    #[command(hide = true)]
    Sinks(Place),
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The cluster's folder: settings, keys, data, logs.
    #[arg(long, value_name = "DIR", default_value = ".cluster")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Start(place) => start(&place.folder).await,
        Command::Status(place) => status(&place.folder),
        Command::Stop(place) => stop(&place.folder),
        Command::Sinks(place) => serve_sinks(&place.folder).await,
    };
    match done {
        Ok(code) => code,
        Err(trouble) => {
            eprintln!("{}", trouble.text());
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    eprintln!("  {text}");
}

async fn start(folder: &Path) -> Outcome<ExitCode> {
    if Register::read(folder)?.is_some_and(|running| running.processes.iter().any(Recorded::lives)) {
        println!("It runs already in {}: `make cluster-stop` ends it.", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    remove_earlier(folder)?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(MARK), "Made by make cluster, which may remove everything in here.\n")?;
    let folder = folder.canonicalize()?;
    let started = bring_up(&folder).await;
    if let Err(trouble) = &started {
        eprintln!("{}", trouble.text());
        // Half a cluster is of no use to anybody, and its logs stay.
        stop(&folder)?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A cluster is for trying: each start is a new one. Only what an earlier one made is removed, and only in a folder that
/// it marked as its own.
fn remove_earlier(folder: &Path) -> Outcome<()> {
    if !folder.join(MARK).exists() {
        return Ok(());
    }
    say("removing what an earlier cluster left");
    let processes = SERVICES.into_iter().flat_map(|service| (0..PROCESSES).map(move |host| name(service, host)));
    let files = processes.map(|name| format!("{name}.toml")).chain([CLIENT, REPORT].map(str::to_owned));
    for path in files.map(|name| folder.join(name)) {
        unless_missing(std::fs::remove_file(&path), &path)?;
    }
    for path in MADE.map(|name| folder.join(name)) {
        unless_missing(std::fs::remove_dir_all(&path), &path)?;
    }
    Ok(())
}

/// Not every start came far enough to make everything.
fn unless_missing(removed: std::io::Result<()>, path: &Path) -> Outcome<()> {
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Trouble::from(error).during(&format!("removing {}", path.display())))
        }
        _ => Ok(()),
    }
}

async fn bring_up(folder: &Path) -> Outcome<()> {
    let register = Register::new(folder)?;
    std::fs::create_dir_all(logs(folder))?;
    say("certificates, keys and passwords, and the world outside: mail, SMS, webhooks");
    let network = network()?;
    let plan = Plan::choose(folder, Hosts::loopback())?;
    Process::start(sinks_launch(folder)?, &register)?;
    let receivers = sinks::settings(folder).await?;
    let told = Told { receivers: &receivers, environment: &|_| Vec::new() };
    let cluster = Cluster::start(folder, register, plan, told, &say).await?;
    say("an invented network and keys for people");
    std::fs::write(folder.join(CLIENT), cluster.plan.client_text()?)?;
    let clients = Clients::over(&cluster.plan.doors(0), |door| channel(door, &cluster.plan.deployed))?;
    let cast = assemble(folder, &clients, &network).await?;
    write_keys(folder, &clients, &cast, "org-001").await?;
    tell_use(&cluster)
}

fn sinks_launch(folder: &Path) -> Outcome<Launch> {
    let own = std::env::current_exe()?;
    Ok(Launch {
        name: "sinks".to_owned(),
        command: vec![
            own.display().to_string(),
            "sinks".to_owned(),
            "--folder".to_owned(),
            folder.display().to_string(),
        ],
        environment: Vec::new(),
        output: logs(folder).join("sinks.out"),
        log: logs(folder).join("sinks.err"),
        end: End::Sink,
    })
}

async fn serve_sinks(folder: &Path) -> Outcome<ExitCode> {
    let authority = Deployed::in_folder(&folder.join("installation")).certificate("authority.pem");
    sinks::run(folder, &network()?, &authority).await.map(|()| ExitCode::SUCCESS)
}

fn network() -> Outcome<Network> {
    fixture_json("network.json").map(Network)
}

fn tell_use(cluster: &Cluster) -> Outcome<()> {
    let folder = cluster.folder().display();
    println!("\nThe cluster runs. Doors (gRPC, HTTP):");
    for index in 0..cluster.services.len() {
        let door = cluster.door(index)?;
        let name = cluster.services.get(index).map(Process::name).unwrap_or_default();
        println!("  {name:<15} https://{}   https://{}", door.grpc, door.http);
    }
    let report = cluster.folder().join(REPORT);
    std::fs::write(&report, fixture_json("scenarios/dam-eviction.json")?["report"].to_string())?;
    println!("\nTry it:\n  export TOCSIN_CONFIG={folder}/{CLIENT}");
    println!("  alias tocsin={}", binary()?.display());
    println!("  tocsin report submit {}", report.display());
    println!("  tocsin case list --key-file {folder}/keys/coordinator.key");
    println!("  tocsin alert watch --key-file {folder}/keys/member.key");
    println!("  tail -f {}", sinks::received_file(cluster.folder()).display());
    println!(
        "\nKill what you like (pids: make cluster-status); logs are in {folder}/logs; `make cluster-stop` ends all."
    );
    Ok(())
}

fn status(folder: &Path) -> Outcome<ExitCode> {
    let Some(running) = Register::read(folder)? else {
        println!("Nothing runs in {}.", folder.display());
        return Ok(ExitCode::FAILURE);
    };
    for process in &running.processes {
        let state = if process.lives() { "runs" } else { "ended" };
        println!("{:<15} {:>8}  {state}", process.name, process.pid);
    }
    let all = running.processes.iter().all(Recorded::lives);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn stop(folder: &Path) -> Outcome<ExitCode> {
    let Some(running) = Register::read(folder)? else {
        println!("Nothing runs in {}.", folder.display());
        return Ok(ExitCode::SUCCESS);
    };
    running.end(folder, true, &|text| say(text))?;
    println!("All {} processes ended.", running.processes.len());
    Ok(ExitCode::SUCCESS)
}
