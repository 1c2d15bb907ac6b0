//! What stands in `deploy/`, `proto/` and `docker-compose.yml`, each judged by the tools of its own field. No container
//! and no cluster is needed; what only a tool can say that is not everywhere is skipped with a word.

mod permissions;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tocsin_tests::program::root;
use tocsin_tests::tools::{find, look_for, python, run};
use tocsin_tests::trouble::ensure;
use tocsin_tests::{Outcome, Trouble};

/// The units are judged as though the program were installed.
const INSTALLED: &str = "/usr/bin/tocsin";
/// The most exposure that `systemd-analyze security` may find, of 100 tenths.
const EXPOSURE_TENTHS_MAX: &str = "20";

/// A program that is started in the root of the source.
fn tool(program: &str) -> Outcome<Command> {
    let mut command = Command::new(find(program)?);
    command.current_dir(root());
    Ok(command)
}

/// The files of a folder whose names end so, sorted.
fn files(folder: &str, end: &str) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    ensure(!found.is_empty(), || format!("{folder} has no *{end}"))?;
    Ok(found)
}

#[test]
fn the_manifests_are_valid() -> Outcome<()> {
    // A patch is no whole manifest, and a kustomization is no object of a cluster.
    let fragments = ["kustomization.yaml", "service-patch.yaml"];
    let is_whole = |path: &PathBuf| !fragments.iter().any(|fragment| path.ends_with(fragment));
    let own = files("deploy/kubernetes", ".yaml")?.into_iter().filter(is_whole);
    let whole: Vec<_> = own.chain(files("deploy/kubernetes/services", ".yaml")?).collect();
    run(tool("kubernetes-validate")?.arg("--strict").args(whole))?;
    let Some(kubectl) = look_for("kubectl") else {
        eprintln!("kubectl is not here: what kustomize would put together was not looked at");
        return Ok(());
    };
    let put_together = run(Command::new(kubectl).current_dir(root()).args(["kustomize", "deploy/kubernetes"]))?;
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    file.write_all(put_together.as_bytes())?;
    run(tool("kubernetes-validate")?.arg("--strict").arg(file.path()))?;
    // The patch has reached all four: without it they would have no probes and could be root.
    let count = |text: &str| put_together.matches(text).count();
    ensure(count("path: /readyz") == 4, || format!("{} of 4 services have probes", count("path: /readyz")))?;
    ensure(count("runAsNonRoot: true") == 5, || {
        format!("{} of 5 kinds of pods are no root", count("runAsNonRoot: true"))
    })
}

/// The compose file as docker-compose understands it.
fn compose() -> Outcome<String> {
    run(tool("docker-compose")?.arg("config").env("TOCSIN_USER", "1000:1000"))
}

/// Holds a compose file against what the deployment promises.
fn judge_compose(config: &str) -> Outcome<String> {
    let mut command = Command::new(python()?);
    command.arg("tests/deployment/compose.py").current_dir(root());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let mut input = child.stdin.take().ok_or_else(|| Trouble::new("the check has no input"))?;
    input.write_all(config.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure(output.status.success(), || said.clone())?;
    Ok(said)
}

#[test]
fn the_compose_file_keeps_every_container_small() -> Outcome<()> {
    run(tool("check-jsonschema")?.args(["--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]))?;
    let config = compose()?;
    judge_compose(&config)?;
    // The judge has eyes: each of these is noticed.
    for (whole, broken, expected) in [
        ("read_only: true", "read_only: false", "may write its file system"),
        ("user: 1000:1000", "user: 0:0", "runs as root"),
        ("127.0.0.1:7401", "0.0.0.0:7401", "beyond loopback"),
        ("enable_ip_masquerade: \"false\"", "enable_ip_masquerade: \"true\"", "reaches the world"),
        ("source: triage-nats-seed", "source: intake-nats-seed", "has another's secrets"),
    ] {
        ensure(config.contains(whole), || format!("docker-compose no longer writes `{whole}`:\n{config}"))?;
        let judged = judge_compose(&config.replace(whole, broken)).err().map(|trouble| trouble.text().to_owned());
        ensure(judged.as_ref().is_some_and(|said| said.contains(expected)), || {
            format!("`{broken}` was not noticed: {judged:?}")
        })?;
    }
    Ok(())
}

#[test]
fn the_container_file_is_well_made() -> Outcome<()> {
    run(tool("hadolint")?.arg("deploy/container/Containerfile")).map(|_| ())
}

#[test]
fn the_units_are_right_and_enclosed() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let mut units = Vec::new();
    for unit in files("deploy/systemd", ".service")? {
        let text = std::fs::read_to_string(&unit)?;
        ensure(text.contains(INSTALLED), || format!("{} does not start {INSTALLED}", unit.display()))?;
        let copy = folder.path().join(unit.file_name().unwrap_or_default());
        std::fs::write(&copy, text.replace(INSTALLED, "/bin/true"))?;
        units.push(copy);
    }
    let said = run(Command::new(find("systemd-analyze")?).args(["verify", "--man=no"]).args(&units))?;
    ensure(said.trim().is_empty(), || said)?;
    for unit in units {
        let mut command = Command::new(find("systemd-analyze")?);
        command.args(["security", "--offline=true", "--no-pager"]);
        run(command.arg(format!("--threshold={EXPOSURE_TENTHS_MAX}")).arg(unit))?;
    }
    Ok(())
}

#[test]
fn the_alert_rules_ring_when_they_should() -> Outcome<()> {
    let promtool = |arguments: &[&str]| {
        let mut command = Command::new(find("promtool")?);
        run(command.current_dir(root().join("deploy/prometheus")).args(arguments))
    };
    promtool(&["check", "config", "--syntax-only", "prometheus.yml"])?;
    promtool(&["check", "rules", "alerts.yml"])?;
    promtool(&["test", "rules", "alerts_test.yml"]).map(|_| ())
}

/// Names of metrics in a text: `tocsin_...`, as far as letters, digits and `_` go.
fn metrics_in(text: &str) -> Vec<String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = text.split(|character: char| !is_name(character));
    let of_ours = ["tocsin_", "rpc_server_", "http_server_"];
    words.filter(|word| of_ours.iter().any(|start| word.starts_with(start))).map(str::to_owned).collect()
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_exist() -> Outcome<()> {
    let known = metrics_in(&std::fs::read_to_string(root().join("crates/platform/src/telemetry/metrics.rs"))?);
    let mut asked = 0;
    for file in ["prometheus/alerts.yml", "prometheus/alerts_test.yml", "grafana/dashboards/tocsin.json"] {
        for metric in metrics_in(&std::fs::read_to_string(root().join("deploy").join(file))?) {
            let ends = ["_bucket", "_count", "_sum"];
            let base = ends.iter().find_map(|end| metric.strip_suffix(end)).unwrap_or(&metric);
            ensure(known.iter().any(|name| name == base), || {
                format!("{file} asks for {metric}, which nothing counts")
            })?;
            asked += 1;
        }
    }
    ensure(asked > 20, || format!("only {asked} names of metrics were found"))
}

#[test]
fn the_dashboard_is_a_dashboard() -> Outcome<()> {
    for file in files("deploy/grafana/dashboards", ".json")? {
        let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
        let panels = dashboard["panels"].as_array().map(Vec::as_slice).unwrap_or_default();
        ensure(panels.len() >= 8, || format!("{} has {} panels", file.display(), panels.len()))?;
        for panel in panels {
            let said = panel["description"].as_str().is_some_and(|text| !text.is_empty());
            ensure(said && panel["targets"][0]["expr"].is_string(), || format!("{} asks nothing", panel["title"]))?;
        }
    }
    Ok(())
}

/// `proto/released.binpb` is what the last release spoke. After a release it is made again:
/// `buf build proto --exclude-source-info --output proto/released.binpb`.
#[test]
fn the_protos_are_tidy_and_break_nobody() -> Outcome<()> {
    run(tool("buf")?.args(["lint", "proto"]))?;
    run(tool("buf")?.args(["breaking", "proto", "--against", "proto/released.binpb"]))?;
    // It would notice: a copy without one field breaks those who send it.
    let copy = tempfile::tempdir()?;
    copy_folder(&root().join("proto"), copy.path())?;
    let broken = copy.path().join("tocsin/intake/v1/intake.proto");
    let text = std::fs::read_to_string(&broken)?;
    let field = text.lines().find(|line| line.trim_start().starts_with("string receipt = ")).unwrap_or_default();
    std::fs::write(&broken, text.replacen(&format!("{field}\n"), "", 1))?;
    let noticed = run(tool("buf")?.arg("breaking").arg(copy.path()).args(["--against", "proto/released.binpb"]));
    ensure(!field.is_empty() && noticed.is_err(), || format!("taking `{field}` away was not noticed"))
}

fn copy_folder(from: &Path, to: &Path) -> Outcome<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
