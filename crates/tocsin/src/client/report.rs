//! `tocsin report`: the reporter's side.

use tocsin_proto::catalogue::Service;
use tocsin_proto::intake::v1::intake_service_client::IntakeServiceClient;
use tocsin_proto::intake::v1::{
    AddMessageRequest, AddMessageResponse, GetReportRequest, GetReportResponse, SubmitReportRequest,
    SubmitReportResponse,
};

use super::{Client, Repeat, input};
use crate::arguments::report::{Add, Receipt, ReportCommand, Submit};
use crate::exit::{Exit, Failed};
use crate::files;
use crate::output::{Page, moment};

/// Carries the command out.
pub(super) async fn run(client: &Client, command: ReportCommand) -> Result<(), Failed> {
    match command {
        ReportCommand::Submit(submit) => self::submit(client, submit).await,
        ReportCommand::Show(receipt) => show(client, receipt).await,
        ReportCommand::Add(add) => self::add(client, add).await,
    }
}

async fn submit(client: &Client, submit: Submit) -> Result<(), Failed> {
    let report = files::report::parse(&files::read(&submit.file)?)?;
    let idempotency_key = key_or_fresh(submit.idempotency_key)?;
    let message = SubmitReportRequest { report: Some(report), idempotency_key: idempotency_key.clone() };
    let answer = client
        .call(Service::Intake, Repeat::Safe, message, async |channel, request| {
            IntakeServiceClient::new(channel).submit_report(request).await
        })
        .await
        .map_err(|failed| with_key(failed, &idempotency_key))?;
    client.answer("tocsin.intake.v1.SubmitReportResponse", &answer, submitted)
}

fn submitted(answer: &SubmitReportResponse) -> String {
    let mut page = Page::new();
    page.field("report", &answer.report_id);
    page.field("received", moment(answer.received_at.as_ref()));
    page.field("receipt", &answer.receipt);
    page.heading("Keep the eight words of the receipt. They are shown once and kept nowhere:");
    page.line("whoever has them can read the answers (`tocsin report show`) and add to the report.");
    page.finish()
}

async fn show(client: &Client, receipt: Receipt) -> Result<(), Failed> {
    let receipt = input::receipt(receipt, false)?;
    let message = GetReportRequest { receipt: receipt.to_string() };
    let answer = client
        .call(Service::Intake, Repeat::Safe, message, async |channel, request| {
            IntakeServiceClient::new(channel).get_report(request).await
        })
        .await?;
    client.answer("tocsin.intake.v1.GetReportResponse", &answer, shown)
}

fn shown(answer: &GetReportResponse) -> String {
    let mut page = Page::new();
    page.field("report", &answer.report_id);
    page.field("received", moment(answer.received_at.as_ref()));
    page.field("state", &answer.state);
    for own in &answer.messages {
        page.field("you added", moment(own.received_at.as_ref()));
    }
    if answer.answers.is_empty() {
        page.heading("No answer yet.");
    }
    for given in &answer.answers {
        page.heading(&format!("Answer of {}", moment(given.answered_at.as_ref())));
        page.quote(&given.text);
    }
    page.finish()
}

async fn add(client: &Client, add: Add) -> Result<(), Failed> {
    let receipt = input::receipt(add.receipt, add.text == "-")?;
    let idempotency_key = key_or_fresh(add.idempotency_key)?;
    let text = input::text(add.text)?;
    let message = AddMessageRequest { receipt: receipt.to_string(), text, idempotency_key: idempotency_key.clone() };
    let answer = client
        .call(Service::Intake, Repeat::Safe, message, async |channel, request| {
            IntakeServiceClient::new(channel).add_message(request).await
        })
        .await
        .map_err(|failed| with_key(failed, &idempotency_key))?;
    client.answer("tocsin.intake.v1.AddMessageResponse", &answer, |answer: &AddMessageResponse| {
        let mut page = Page::new();
        page.field("message", &answer.message_id).field("received", moment(answer.received_at.as_ref()));
        page.finish()
    })
}

/// The key that was given, or one that nobody can guess: the stored answer, receipt included, is sealed under it.
fn key_or_fresh(given: Option<String>) -> Result<String, Failed> {
    if let Some(key) = given {
        return Ok(key);
    }
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failed::other("no randomness", &error))?;
    Ok(hex::encode(bytes))
}

/// When the service was away the report may have been taken: the same key finds out without taking it twice.
fn with_key(failed: Failed, idempotency_key: &str) -> Failed {
    if failed.exit == Exit::Unavailable {
        return failed.advise(format!("try again with --idempotency-key {idempotency_key}, so that it is taken once"));
    }
    failed
}
