//! Bytes that are no protocol, messages without measure, paths that lead nowhere, and an import that is half wrong.

use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde_json::json;
use tocsin_proto::dispatch::v1 as dispatch;
use tocsin_proto::intake::v1::{Report, SubmitReportRequest};
use tocsin_tests::Outcome;
use tocsin_tests::clients::bearing;
use tocsin_tests::network::{Network, open};
use tocsin_tests::stage::Stage;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;

use super::{Attacker, fresh, wire_report};

#[tokio::test]
async fn garbage_on_both_ports_harms_nobody() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let mut random = StdRng::seed_from_u64(2026);
    let mut noise = vec![0_u8; 64 * 1024];
    random.fill_bytes(&mut noise);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let long_header = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1024 * 1024)).into_bytes();
    let smuggled =
        b"POST /v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET"
            .to_vec();
    let pieces = [
        noise.clone(),
        [preface.clone(), noise.clone()].concat(),
        [preface.clone(), vec![0xff; 4096]].concat(),
        preface,
        long_header,
        smuggled,
        b"POST /v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec(),
        b"GET /%00%0d%0aSet-Cookie:x HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![b'\n'; 100_000],
        Vec::new(),
    ];
    for (_, door) in attacker.stage.installation.doors.all() {
        for address in [door.grpc, door.http] {
            for piece in &pieces {
                throw(address, piece).await?;
            }
        }
    }
    huge_messages(&attacker.stage).await?;
    wrong_paths(&attacker.stage).await?;
    attacker.survives().await
}

/// Sends bytes and reads a little of what comes back; the other side may close at any moment.
async fn throw(address: SocketAddr, bytes: &[u8]) -> Outcome<()> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.write_all(bytes)).await;
    let mut answer = vec![0; 4096];
    let _ = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut answer)).await;
    Ok(())
}

async fn huge_messages(stage: &Stage) -> Outcome<()> {
    for megabytes in [1, 5, 20] {
        let report = Report { narrative: "x".repeat(megabytes * 1024 * 1024), ..wire_report() };
        let request = SubmitReportRequest { report: Some(report), idempotency_key: fresh() };
        let code = stage.clients.intake.clone().submit_report(request).await.err().map(|status| status.code());
        let fine = matches!(code, Some(Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted));
        ensure(fine, || format!("a message of {megabytes} MiB: {code:?}"))?;
    }
    let organisations = vec![stage.network.organisations()[0].clone(); 20_000];
    let request = bearing(&stage.cast.administrator, dispatch::ImportOrganisationsRequest { organisations })?;
    let code =
        stage.clients.organisations.clone().import_organisations(request).await.err().map(|status| status.code());
    ensure(matches!(code, Some(Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted)), || {
        format!("20,000 organisations: {code:?}")
    })
}

async fn wrong_paths(stage: &Stage) -> Outcome<()> {
    let doors = stage.installation.doors;
    for (door, path, allowed) in [
        (doors.dispatch, "/acknowledge/x".to_owned(), [404, 400]),
        (doors.dispatch, format!("/acknowledge/{}", "A".repeat(5000)), [404, 400]),
        (doors.dispatch, "/acknowledge/..%2f..%2fetc%2fpasswd".to_owned(), [404, 400]),
        (doors.dispatch, "/acknowledge/%00%0d%0a".to_owned(), [404, 400]),
        (doors.dispatch, "/v1/alerts/stream".to_owned(), [401, 401]),
        (doors.notification, "/receipts/sink?type=1&id=1&mac=00".to_owned(), [404, 400]),
        (doors.notification, "/receipts/%2e%2e?type=%ff".to_owned(), [404, 400]),
        (doors.intake, "/nowhere".to_owned(), [404, 404]),
    ] {
        for method in [reqwest::Method::GET, reqwest::Method::POST] {
            let status = stage
                .http
                .request(method.clone(), format!("http://{}{path}", door.http))
                .send()
                .await?
                .status()
                .as_u16();
            ensure(allowed.contains(&status) || status == 405, || format!("{method} {path:.60}: {status}"))?;
        }
    }
    Ok(())
}

/// The import of a network whose parts contradict each other is refused whole.
#[tokio::test]
async fn an_import_with_one_wrong_part_changes_nothing() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let Network(mut wrong) = open(5, 2);
    wrong["organisations"][4]["clearance"] = json!("GREN");
    let organisations = Network(wrong).organisations();
    let administrator = attacker.stage.cast.administrator.clone();
    let request = bearing(&administrator, dispatch::ImportOrganisationsRequest { organisations })?;
    let answer = attacker.stage.clients.organisations.clone().import_organisations(request).await;
    let told =
        answer.as_ref().err().map(|status| String::from_utf8_lossy(status.details()).into_owned()).unwrap_or_default();
    ensure(told.contains("organisations[4].clearance") && told.contains("GREEN"), || {
        format!("not named: {answer:?} {told}")
    })?;
    let request =
        bearing(&administrator, dispatch::ListOrganisationsRequest { page_size: 100, page_token: String::new() })?;
    let listed =
        attacker.stage.clients.organisations.clone().list_organisations(request).await?.into_inner().organisations;
    ensure_equal(listed.len(), 2, "organisations after the refused import")?;
    attacker.survives().await
}
