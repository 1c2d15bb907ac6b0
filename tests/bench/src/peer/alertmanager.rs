//! Debian's `prometheus-alertmanager`: one alert matches as many routes as there are receivers, each a webhook.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tocsin_sinks::WebhookSink;

/// A running Alertmanager; it ends when dropped.
pub(crate) struct Alertmanager {
    process: Child,
    api: String,
    client: reqwest::Client,
    sent: u32,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How long it may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(20);

impl Alertmanager {
    /// Whether it is installed.
    pub(crate) fn installed() -> bool {
        Command::new("prometheus-alertmanager").arg("--version").output().is_ok()
    }

    /// Starts it with `routes` webhook receivers that all point to the sink.
    pub(crate) async fn start(folder: &Path, routes: usize, sink: SocketAddr) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join("alertmanager.yml");
        std::fs::write(&file, settings(routes, sink))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let process = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("prometheus-alertmanager could not be started")?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let manager = Self { process, api: format!("http://127.0.0.1:{port}"), client, sent: 0 };
        let deadline = Instant::now() + START_LIMIT;
        while manager.client.get(format!("{}/-/ready", manager.api)).send().await.is_err() {
            anyhow::ensure!(Instant::now() < deadline, "prometheus-alertmanager did not answer in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(manager)
    }

    /// Sends one new alert and returns the time from its acceptance to the last arrival.
    pub(crate) async fn ring(&mut self, sink: &WebhookSink, routes: usize) -> Result<Duration> {
        self.sent += 1;
        let before = sink.log().count();
        let alert =
            serde_json::json!([{ "labels": { "alertname": format!("bench{}", self.sent), "audience": "all" } }]);
        let answer = self.client.post(format!("{}/api/v2/alerts", self.api)).json(&alert).send().await?;
        answer.error_for_status()?;
        let accepted = Instant::now();
        tokio::time::timeout(START_LIMIT, sink.log().reached(before + routes))
            .await
            .context("alertmanager's webhooks")?;
        let last = sink.log().span().map_or(accepted, |(_, last)| last);
        Ok(last.saturating_duration_since(accepted))
    }
}

fn settings(routes: usize, sink: SocketAddr) -> String {
    let mut text = "route:\n  receiver: r0\n  group_by: ['...']\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 24h\n  routes:\n".to_owned();
    for number in 0..routes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - {{ receiver: r{number}, matchers: ['audience=\"all\"'], continue: true }}");
    }
    text.push_str("receivers:\n");
    for number in 0..routes {
        let _ = writeln!(
            text,
            "- name: r{number}\n  webhook_configs: [{{ url: 'http://{sink}/r{number}', send_resolved: false }}]"
        );
    }
    text
}
