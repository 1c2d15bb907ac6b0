//! The command line as people use it: keys, the network, a case from the report to the release, answers to an alert,
//! and looking after an installation. Every step is the real program with files and exit codes.

mod alerts;
mod cases;
mod deliveries;
mod keeping;
mod keys;
mod mailbox;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tocsin_tests::installation::Installation;
use tocsin_tests::network::{Network, text};
use tocsin_tests::process::{Running, bootstrap_key, command, wait_until};
use tocsin_tests::receivers::Receivers;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::stage::roster;
use tocsin_tests::trouble::ensure;
use tocsin_tests::walk::STEP_LIMIT;
use tocsin_tests::{Outcome, Trouble};

/// What a command did.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Done {
    /// Standard output as one JSON document.
    fn json(&self) -> Outcome<Value> {
        serde_json::from_str(&self.out).map_err(|error| Trouble::from(error).during(&self.out))
    }
}

/// A house of people: a running installation and a key file for everybody.
struct House {
    process: Running,
    installation: Installation,
    receivers: Receivers,
    network: Network,
}

impl House {
    /// Starts an installation and does by command line what its administrator does first.
    async fn found(network: Network, receivers: Receivers) -> Outcome<Self> {
        let further = format!("{}\n[telemetry]\nlevel = \"warn,tocsin=info\"\n", roster());
        let installation = Installation::embedded(&receivers, &further)?;
        let mut process = Running::up(&installation)?;
        process.ready().await?;
        installation.file("administrator.key", bootstrap_key(&installation).await?)?;
        let house = Self { process, installation, receivers, network };
        house.installation.file("network.json", house.network.0.to_string())?;
        house.good("administrator", &["org", "import", "network.json"])?;
        house.installation.file("staff.json", staff_file())?;
        house.good("administrator", &["staff", "import", "staff.json"])?;
        for (actor, role) in [
            ("coordinator", "coordinator"),
            ("verifier", "verifier"),
            ("approver-1", "approver"),
            ("approver-2", "approver"),
            ("operator", "operator"),
        ] {
            let name = format!("The {actor} of the house");
            let save = format!("{actor}.key");
            let id = format!("staff-{actor}");
            house.good(
                "administrator",
                &["key", "issue", "--actor", &id, "--name", &name, "--role", role, "--save", &save],
            )?;
        }
        Ok(house)
    }

    /// With a network of its own receivers.
    async fn of(network: Network) -> Outcome<Self> {
        let receivers = Receivers::start(network.webhook_hosts()).await?;
        Self::found(network, receivers).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.installation.folder().join(name)
    }

    /// Runs a command with somebody's key, or with none for an empty name, in the installation's folder.
    fn run(&self, who: &str, arguments: &[&str]) -> Outcome<Done> {
        self.run_with(who, arguments, &[], "")
    }

    fn run_with(&self, who: &str, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Outcome<Done> {
        run_on(&self.installation.settings(), self.installation.folder(), who, arguments, environment, input)
    }

    /// Runs a command that must succeed.
    fn good(&self, who: &str, arguments: &[&str]) -> Outcome<Done> {
        self.ended(who, arguments, 0)
    }

    /// Runs a command that must succeed and answer in JSON.
    fn json(&self, who: &str, arguments: &[&str]) -> Outcome<Value> {
        self.good(who, &[arguments, &["--json"]].concat())?.json()
    }

    /// Runs a command that must end with this code.
    fn ended(&self, who: &str, arguments: &[&str], code: i32) -> Outcome<Done> {
        let done = self.run(who, arguments)?;
        ensure(done.code == Some(code), || format!("{who}: tocsin {arguments:?} did not end with {code}: {done:?}"))?;
        Ok(done)
    }

    /// Submits a scenario's report and waits for its case; returns the case's reference and the receipt.
    async fn report(&self, scenario: &Value) -> Outcome<(String, String)> {
        self.installation.file("report.json", scenario["report"].to_string())?;
        let submitted = self.json("", &["report", "submit", "report.json"])?;
        let report = text(&submitted, "report_id");
        let reference = wait_until("the report becomes a case", STEP_LIMIT, async || {
            let shown = self.run("coordinator", &["case", "show", &report, "--json"])?;
            Ok(if shown.code == Some(0) { Some(text(&shown.json()?["summary"], "reference")) } else { None })
        })
        .await?;
        Ok((reference, text(&submitted, "receipt")))
    }

    /// Takes a case to its two approvals.
    fn approve(&self, case: &str, scenario: &Value) -> Outcome<()> {
        self.good("coordinator", &["case", "acknowledge", case])?;
        self.good(
            "verifier",
            &["case", "verify", case, "--link", "lawyer", "--reliability", "A", "--information", "1", "--first-hand"],
        )?;
        self.installation.file("factors.json", scenario["assessment"]["factors"].to_string())?;
        self.good("coordinator", &["case", "assess", case, "--factors", "factors.json", "--claim", "confirmed"])?;
        self.good("coordinator", &consent(case, "granted"))?;
        self.installation.file("alert.json", scenario["alert"].to_string())?;
        let drafted = self.json("coordinator", &["case", "draft", case, "alert.json"])?;
        let version = text(&drafted["draft"], "version");
        self.good("coordinator", &["case", "submit", case])?;
        for approver in ["approver-1", "approver-2"] {
            self.good(approver, &["case", "approve", case, "--draft-version", &version])?;
        }
        Ok(())
    }

    /// From the report to a release; returns the case's reference and the release.
    async fn release(&self, scenario: &Value, further: &[&str]) -> Outcome<(String, Value)> {
        let (case, _) = self.report(scenario).await?;
        self.approve(&case, scenario)?;
        let released = self.json("coordinator", &[&["alert", "release", &case], further].concat())?;
        Ok((case, released))
    }

    /// Waits until an alert's coverage is as it should be.
    async fn coverage(&self, alert: &str, what: &str, enough: impl Fn(&Value) -> bool) -> Outcome<Value> {
        let mut last = Value::Null;
        let waited = wait_until(what, STEP_LIMIT, async || {
            let done = self.run("coordinator", &["alert", "coverage", alert, "--notices", "--json"])?;
            if done.code != Some(0) {
                return Ok(None);
            }
            last = done.json()?;
            Ok(enough(&last).then(|| last.clone()))
        })
        .await;
        waited.map_err(|trouble| Trouble::new(format!("{}: {}", trouble.text(), last["by_state"])))
    }
}

/// Runs a command on some settings.
fn run_on(
    settings: &Path,
    folder: &Path,
    who: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
    input: &str,
) -> Outcome<Done> {
    let mut command = command(settings)?;
    if !who.is_empty() {
        command.arg("--key-file").arg(folder.join(format!("{who}.key")));
    }
    command.args(arguments).envs(environment.iter().copied()).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input may have ended already.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    Ok(Done {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The arguments that record the consent of the person to a members' alert.
fn consent<'a>(case: &'a str, status: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["case", "consent", case, "--who", "affected_person", "--purpose", "members_alert"];
    arguments.extend(["--audience", "all_members", "--identity-level", "role_and_region"]);
    arguments.extend(["--status", status, "--form", "oral_with_witness"]);
    arguments
}

/// Three members of staff; the coordinator's contact carries the id of the coordinator's actor.
fn staff_file() -> String {
    let contact = |id: &str| {
        serde_json::json!({
            "id": id, "role": "duty", "language": "en", "time_zone": "Etc/GMT+0", "email": format!("{id}@staff.example"),
            "channels": ["email"], "quiet_hours": null, "urgent_overrides_quiet_hours": true,
        })
    };
    Value::from(["staff-duty-1", "staff-duty-2", "staff-coordinator"].map(contact).to_vec()).to_string()
}

/// The members' alert as a text, from which these journeys write files.
fn members_scenario() -> Outcome<Value> {
    Ok(Scenario::for_today()?.0)
}

/// Whether every contact is planned and no notice is under way.
fn is_settled(coverage: &Value) -> bool {
    let number = |key: &str| coverage[key].as_u64().unwrap_or_default();
    let under_way = |state: &str| coverage["by_state"][state].as_u64().unwrap_or_default();
    number("contacts") > 0
        && number("contacts_planned") >= number("contacts")
        && under_way("queued") + under_way("handed_to_gateway") == 0
}
