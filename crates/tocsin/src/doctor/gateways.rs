//! What carries alerts out: the smarthost and the SMS gateways. Nothing is sent.

use serde::Deserialize;
use tocsin_platform::config::Settings;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tonic::transport::Uri;

use super::{Finding, TRY_TIME};
use crate::exit::with_causes;

/// More than a greeting and an answer to EHLO ever have.
const DIALOGUE_BYTES_MAX: u64 = 64 * 1024;

/// The part of notification's settings that says where gateways are.
#[derive(Debug, Deserialize)]
struct Gateways {
    email: Email,
    sms: Sms,
}

#[derive(Debug, Deserialize)]
struct Email {
    host: String,
    port: u16,
    tls: String,
    #[serde(default)]
    smarthosts: Vec<Smarthost>,
}

#[derive(Debug, Deserialize)]
struct Smarthost {
    host: String,
    #[serde(default = "submission")]
    port: u16,
    #[serde(default = "starttls")]
    tls: String,
}

const fn submission() -> u16 {
    587
}

fn starttls() -> String {
    "starttls".to_owned()
}

#[derive(Debug, Deserialize)]
struct Sms {
    #[serde(default)]
    gateways: Vec<SmsGateway>,
}

#[derive(Debug, Deserialize)]
struct SmsGateway {
    name: String,
    url: String,
}

/// Looks at each gateway.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let gateways: Gateways = match settings.section("notification") {
        Ok(gateways) => gateways,
        Err(error) => {
            return vec![Finding::fail("gateways", with_causes(&error), "correct the section [notification]")];
        }
    };
    let mut findings = smarthosts(gateways.email).await;
    if gateways.sms.gateways.is_empty() {
        let advice = "set `notification.sms.gateways`, or import contacts without the channel sms";
        findings.push(Finding::warn("gateways", "no SMS gateway is set: SMS notices cannot leave", advice));
    }
    for gateway in &gateways.sms.gateways {
        findings.push(sms(gateway).await);
    }
    findings
}

async fn smarthosts(email: Email) -> Vec<Finding> {
    let single = Smarthost { host: email.host, port: email.port, tls: email.tls };
    let all = Some(single).filter(|single| !single.host.is_empty()).into_iter().chain(email.smarthosts);
    let mut findings = Vec::new();
    for one in all {
        findings.push(smarthost(&one).await);
    }
    if findings.is_empty() {
        let advice = "set `notification.email.host`";
        findings.push(Finding::warn("gateways", "no smarthost is set: e-mail notices wait", advice));
    }
    findings
}

async fn smarthost(smarthost: &Smarthost) -> Finding {
    let place = format!("{}:{}", smarthost.host, smarthost.port);
    let failed = |error: String| {
        let advice = "check `notification.email`: host and port, and that this machine may connect to it";
        Finding::fail("gateways", format!("the smarthost {place}: {error}"), advice)
    };
    if smarthost.tls == "implicit" {
        // The dialogue begins after TLS, which the first send tries; here it is enough that the door is open.
        return match connect(&place).await {
            Ok(_) => Finding::ok("gateways", format!("the smarthost {place} takes connections (implicit TLS)")),
            Err(error) => failed(error),
        };
    }
    match tokio::time::timeout(TRY_TIME, offers_starttls(&place)).await {
        Ok(Ok(true)) => Finding::ok("gateways", format!("the smarthost {place} answers and offers STARTTLS")),
        Ok(Ok(false)) if smarthost.tls == "none" => {
            Finding::ok("gateways", format!("the smarthost {place} answers, without STARTTLS as set"))
        }
        Ok(Ok(false)) => failed("it offers no STARTTLS, and nothing is sent in clear text".to_owned()),
        Ok(Err(error)) => failed(error),
        Err(_) => failed("no answer in time".to_owned()),
    }
}

async fn connect(place: &str) -> Result<TcpStream, String> {
    let connected = tokio::time::timeout(TRY_TIME, TcpStream::connect(place)).await;
    connected.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())
}

/// Greets the server as RFC 5321 says and reads what it offers, then takes leave.
async fn offers_starttls(place: &str) -> Result<bool, String> {
    let stream = connect(place).await?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(DIALOGUE_BYTES_MAX));
    let greeting = reply(&mut reader).await?;
    if !greeting.starts_with("220") {
        return Err("it does not greet as a mail server does".to_owned());
    }
    writer.write_all(b"EHLO localhost\r\n").await.map_err(|error| error.to_string())?;
    let offers = reply(&mut reader).await?;
    // Whether it hears our leave does not matter.
    let _ = writer.write_all(b"QUIT\r\n").await;
    if !offers.starts_with("250") {
        return Err("it refuses EHLO".to_owned());
    }
    Ok(offers.lines().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))))
}

/// One reply, whose last line has a space after its code.
async fn reply(reader: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Result<String, String> {
    let mut whole = String::new();
    loop {
        let start = whole.len();
        let read = reader.read_line(&mut whole).await.map_err(|error| error.to_string())?;
        let line = whole.get(start..).unwrap_or_default();
        if read == 0 || line.as_bytes().get(3) != Some(&b'-') {
            return Ok(whole);
        }
    }
}

async fn sms(gateway: &SmsGateway) -> Finding {
    let Some(place) = place_of(&gateway.url) else {
        let found = format!("the address of the SMS gateway {} is none", gateway.name);
        return Finding::fail("gateways", found, "write `url` as https://host/path");
    };
    match connect(&place).await {
        Ok(_) => Finding::ok("gateways", format!("the SMS gateway {} takes connections at {place}", gateway.name)),
        Err(error) => {
            let found = format!("the SMS gateway {} at {place}: {error}", gateway.name);
            Finding::fail("gateways", found, "check its `url`, and that this machine may connect to it")
        }
    }
}

fn place_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let port = uri.port_u16().or_else(|| match uri.scheme_str()? {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    Some(format!("{}:{port}", uri.host()?))
}
