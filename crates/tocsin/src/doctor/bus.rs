//! The bus: whether a NATS server is there and keeps streams.

use tocsin_platform::config::{BusKind, Settings};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;

use super::{Finding, TRY_TIME};

/// The port of NATS, where an address names none.
const PORT: u16 = 4222;
/// A server's greeting is shorter.
const GREETING_BYTES_MAX: u64 = 64 * 1024;

/// Looks at the bus of the settings.
pub(super) async fn check(settings: &Settings) -> Finding {
    if settings.bus.kind == BusKind::InProcess {
        return Finding::ok("bus", "in process: for one process that runs all services");
    }
    let mut failures = Vec::new();
    for address in settings.bus.url.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        match greeting(address).await {
            Ok(greeting) => return judge(address, &greeting),
            Err(error) => failures.push(format!("{}: {error}", host_and_port(address))),
        }
    }
    Finding::fail("bus", format!("no NATS server answers ({})", failures.join("; ")), "start it, or correct `bus.url`")
}

/// A NATS server speaks first: one line with what it is and can do.
async fn greeting(address: &str) -> Result<serde_json::Value, String> {
    let place = host_and_port(address);
    let talk = async {
        let stream = TcpStream::connect(&place).await.map_err(|error| error.to_string())?;
        let mut line = String::new();
        let mut reader = BufReader::new(stream.take(GREETING_BYTES_MAX));
        reader.read_line(&mut line).await.map_err(|error| error.to_string())?;
        let json = line.strip_prefix("INFO ").ok_or("what answers there is not NATS")?;
        serde_json::from_str(json).map_err(|_| "what answers there is not NATS".to_owned())
    };
    tokio::time::timeout(TRY_TIME, talk).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

fn judge(address: &str, greeting: &serde_json::Value) -> Finding {
    let place = host_and_port(address);
    let version = greeting.get("version").and_then(serde_json::Value::as_str).unwrap_or("of an unknown version");
    if greeting.get("jetstream").and_then(serde_json::Value::as_bool) == Some(true) {
        return Finding::ok("bus", format!("NATS {version} at {place}, with JetStream"));
    }
    Finding::fail(
        "bus",
        format!("NATS {version} at {place} has no JetStream"),
        "start it with `-js` or a `jetstream` block",
    )
}

/// Host and port of an address, without the user and password that it may hold.
fn host_and_port(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let bare = rest.rsplit_once('@').map_or(rest, |(_, host)| host).trim_end_matches('/');
    let has_port = bare.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { bare.to_owned() } else { format!("{bare}:{PORT}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password() {
        for (address, expected) in [
            ("nats://127.0.0.1:4222", "127.0.0.1:4222"),
            ("nats://user:secret@nats.example:5222", "nats.example:5222"),
            ("tls://nats.example", "nats.example:4222"),
            ("nats.example", "nats.example:4222"),
            ("nats://[::1]:4222/", "[::1]:4222"),
        ] {
            assert_eq!(host_and_port(address), expected);
        }
    }

    #[test]
    fn without_jetstream_nothing_is_kept() {
        let verdict = |json| judge("nats://127.0.0.1", &json).verdict;
        assert_eq!(verdict(serde_json::json!({"version": "2.12.1", "jetstream": true})), super::super::Verdict::Ok);
        assert_eq!(verdict(serde_json::json!({"version": "2.12.1"})), super::super::Verdict::Fail);
    }
}
