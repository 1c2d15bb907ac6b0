//! Compiles the protos in Rust alone, so that nobody needs `protoc`.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// Messages that hold somebody's words, address or secret: their `Debug` stands in `src/redacted.rs` and prints nothing.
const REDACTED: [&str; 23] = [
    "common.v1.AlertText",
    "common.v1.Addressee",
    "intake.v1.Report",
    "intake.v1.SafeContact",
    "intake.v1.SubmitReportResponse",
    "intake.v1.GetReportRequest",
    "intake.v1.Answer",
    "intake.v1.AddMessageRequest",
    "triage.v1.CaseMessage",
    "triage.v1.AnswerReporterRequest",
    "triage.v1.PreviewedNotice",
    "triage.v1.IssueKeyResponse",
    "notification.v1.ConfirmContactCodeRequest",
    "notification.v1.Contact",
    "notification.v1.ContactAddress",
    "notification.v1.ContactSecret",
    "notification.v1.RotateWebhookKeysResponse",
    "notification.v1.NoticePreview",
    "notification.v1.Reply",
    "notification.v1.TestGatewayRequest",
    "triage.v1.ConsentLimits",
    "event.v1.NoticeRecipient",
    "event.v1.ReplyReceived",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("../../proto");
    let files: Vec<PathBuf> = [
        "common/v1/common",
        "intake/v1/intake",
        "triage/v1/triage",
        "dispatch/v1/dispatch",
        "notification/v1/notification",
        "notification/v1/contact",
        "notification/v1/gateway",
        "notification/v1/notice",
        "notification/v1/suppression",
        "event/v1/event",
        "operations/v1/operations",
    ]
    .iter()
    .map(|name| root.join(format!("tocsin/{name}.proto")))
    .collect();
    println!("cargo::rerun-if-changed=../../proto");
    let descriptors = protox::compile(&files, [root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("tocsin.descriptors"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .skip_debug(REDACTED.map(|message| format!(".tocsin.{message}")))
        .compile_fds(descriptors)?;
    Ok(())
}
