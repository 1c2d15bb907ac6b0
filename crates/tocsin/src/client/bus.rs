//! `tocsin bus`: what operators ask of each service's bus.

use prost::Message;
use serde_json::Value;
use tocsin_proto::catalogue::Service;
use tocsin_proto::convert::timestamp;
use tocsin_proto::operations::v1::operations_service_client::OperationsServiceClient;
use tocsin_proto::operations::v1::redrive_dead_letters_request::Which;
use tocsin_proto::operations::v1::{
    GetBusRequest, ListAdvisoriesRequest, ListAdvisoriesResponse, ListDeadLettersRequest, ListDeadLettersResponse,
    RedriveDeadLettersRequest, RedriveEventsRequest,
};

use super::pages::bus as page;
use super::{ANSWER_BYTES_MAX, Client, Repeat};
use crate::arguments::bus::{BusCommand, Redrive};
use crate::exit::{Exit, Failed};
use crate::output::{self, Form};

/// Rows asked for at once.
const PAGE_SIZE: u32 = 200;

/// Asks one verb of a service's `OperationsService`.
macro_rules! ask {
    ($client:expr, $service:expr, $repeat:expr, $verb:ident, $message:expr) => {
        $client
            .ask($service, true, $repeat, $message, async |channel, request| {
                OperationsServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).$verb(request).await
            })
            .await
    };
}

/// Carries the command out.
pub(super) async fn run(client: &Client, command: BusCommand) -> Result<(), Failed> {
    match command {
        BusCommand::Status(asked) => {
            let of = async |service| ask!(client, service, Repeat::Safe, get_bus, GetBusRequest {});
            let answers = Answers::of(asked.service, of).await;
            answers.tell(client, "tocsin.operations.v1.GetBusResponse", |answers| page::status(&answers))
        }
        BusCommand::DeadLetters(asked) => {
            let answers = Answers::of(asked.service, async |service| dead_letters(client, service).await).await;
            answers.tell(client, "tocsin.operations.v1.ListDeadLettersResponse", |answers| {
                page::dead_letters(&answers).to_string()
            })
        }
        BusCommand::Advisories(asked) => {
            let answers = Answers::of(asked.service, async |service| advisories(client, service).await).await;
            answers.tell(client, "tocsin.operations.v1.ListAdvisoriesResponse", |answers| {
                page::advisories(&answers).to_string()
            })
        }
        BusCommand::Redrive(wanted) => redrive(client, wanted).await,
    }
}

/// What each service that was asked has answered, and the first failure among them. That a service does not know what is
/// asked for comes last: while another one failed nobody can say that it is nowhere.
struct Answers<M> {
    answers: Vec<(Service, M)>,
    failed: Option<Failed>,
}

impl<M: Message> Answers<M> {
    /// Asks one service, or all four: one that is away does not hide what the others say.
    async fn of(service: Option<Service>, verb: impl AsyncFn(Service) -> Result<M, Failed>) -> Self {
        let services = service.map_or_else(|| Service::ALL.to_vec(), |service| vec![service]);
        let mut all = Self { answers: Vec::new(), failed: None };
        for service in services {
            match verb(service).await {
                Ok(answer) => all.answers.push((service, answer)),
                Err(failed) => all.fail(failed),
            }
        }
        all
    }

    fn fail(&mut self, failed: Failed) {
        if self.failed.as_ref().is_none_or(|first| first.exit == Exit::NotFound && failed.exit != Exit::NotFound) {
            self.failed = Some(failed);
        }
    }

    /// What one service has answered is found, whoever else does not know it.
    fn found(mut self) -> Self {
        if !self.answers.is_empty() {
            self.failed = self.failed.filter(|failed| failed.exit != Exit::NotFound);
        }
        self
    }

    /// Prints the answers, as JSON a list with one document for each service; then the failure is the command's.
    fn tell(
        self,
        client: &Client,
        name: &'static str,
        text: impl FnOnce(Vec<(Service, M)>) -> String,
    ) -> Result<(), Failed> {
        if !self.answers.is_empty() {
            match client.form {
                Form::Text => output::print(&text(self.answers)),
                Form::Json => {
                    let documents: Result<Vec<Value>, _> =
                        self.answers.iter().map(|(service, answer)| document(*service, name, answer)).collect();
                    output::print(&format!("{:#}", Value::Array(documents?)));
                }
            }
        }
        self.failed.map_or(Ok(()), Err)
    }
}

fn document<M: Message>(service: Service, name: &'static str, answer: &M) -> Result<Value, Failed> {
    let mut document = output::document(name, answer)?;
    if let Value::Object(fields) = &mut document {
        fields.insert("service".to_owned(), Value::from(service.as_str()));
    }
    Ok(document)
}

async fn dead_letters(client: &Client, service: Service) -> Result<ListDeadLettersResponse, Failed> {
    let mut whole = ListDeadLettersResponse::default();
    loop {
        let message = ListDeadLettersRequest { page_size: PAGE_SIZE, page_token: whole.next_page_token };
        let part = ask!(client, service, Repeat::Safe, list_dead_letters, message)?;
        whole.dead_letters.extend(part.dead_letters);
        whole.next_page_token = part.next_page_token;
        if whole.next_page_token.is_empty() {
            return Ok(whole);
        }
    }
}

async fn advisories(client: &Client, service: Service) -> Result<ListAdvisoriesResponse, Failed> {
    let mut whole = ListAdvisoriesResponse::default();
    loop {
        let message = ListAdvisoriesRequest { page_size: PAGE_SIZE, page_token: whole.next_page_token };
        let part = ask!(client, service, Repeat::Safe, list_advisories, message)?;
        whole.advisories.extend(part.advisories);
        whole.next_page_token = part.next_page_token;
        if whole.next_page_token.is_empty() {
            return Ok(whole);
        }
    }
}

/// Asking twice does the same as asking once: what has run by then is no dead letter any more, and copies of events
/// that are known change nothing.
async fn redrive(client: &Client, wanted: Redrive) -> Result<(), Failed> {
    if let (Some(since), Some(service)) = (wanted.since, wanted.service) {
        let message = RedriveEventsRequest { since: Some(timestamp(since.to_utc())) };
        let answer = ask!(client, service, Repeat::Safe, redrive_events, message)?;
        return client.answer("tocsin.operations.v1.RedriveEventsResponse", &answer, |answer| {
            format!("{} deliveries of {service}'s events are owed again", answer.owed)
        });
    }
    let one = wanted.dead_letter.is_some() && wanted.service.is_none();
    let which = match (wanted.dead_letter, wanted.kind) {
        (Some(event), _) => Which::EventId(event),
        (None, Some(kind)) => Which::Kind(kind),
        (None, None) => Which::All(true),
    };
    let message = RedriveDeadLettersRequest { which: Some(which) };
    let answers = Answers::of(wanted.service, async |service| {
        ask!(client, service, Repeat::Safe, redrive_dead_letters, message.clone())
    })
    .await;
    // An event is a dead letter of those among its consumers that could not take it, seldom of more than one.
    let answers = if one { answers.found() } else { answers };
    answers.tell(client, "tocsin.operations.v1.RedriveDeadLettersResponse", |answers| page::redriven(&answers))
}

#[cfg(test)]
mod tests {
    use tocsin_proto::operations::v1::RedriveDeadLettersResponse;

    use super::*;

    #[tokio::test]
    async fn a_service_that_is_away_is_told_before_those_that_do_not_know_the_event() {
        use Service::{Dispatch, Intake, Notification, Triage};
        let all = [Intake, Triage, Dispatch, Notification];
        check(&all, &[], Some(Exit::NotFound)).await;
        check(&[Intake, Dispatch, Notification], &[Triage], Some(Exit::Unavailable)).await;
        check(&[Dispatch, Notification], &[Intake], Some(Exit::Unavailable)).await;
        check(&[Intake, Triage], &[], None).await;
        check(&[], &[Notification], Some(Exit::Unavailable)).await;
    }

    /// Asks all four, of which some do not know it and some are away.
    async fn check(unknown: &[Service], away: &[Service], expected: Option<Exit>) {
        let verb = async |service| match service {
            service if unknown.contains(&service) => Err(Failed::new(Exit::NotFound, "no such dead letter")),
            service if away.contains(&service) => Err(Failed::new(Exit::Unavailable, "away")),
            _ => Ok(RedriveDeadLettersResponse { dead_letters: 1 }),
        };
        let answers = Answers::of(None, verb).await.found();
        assert_eq!(answers.failed.map(|failed| failed.exit), expected, "{unknown:?} {away:?}");
        assert_eq!(answers.answers.len(), 4 - unknown.len() - away.len());
    }
}
