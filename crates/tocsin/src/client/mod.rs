//! What a user does against running services. Each command asks one or two verbs of a service and prints the answer.

mod address;
mod alert;
mod bus;
mod case;
mod contact;
mod coverage;
mod gateway;
mod import;
mod input;
mod key;
mod notice;
mod pages;
mod report;
mod secret;
#[cfg(test)]
mod tests;
mod watch;

use std::cell::OnceCell;
use std::time::Duration;

use prost::Message;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::{self, Settings};
use tocsin_platform::grpc;
use tocsin_proto::catalogue::Service;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::arguments::{Command, Common};
use crate::exit::{Failed, with_causes};
use crate::output::{self, Form};

/// Answers larger than this are not read; a coverage of ten thousand organisations has a few megabytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often a verb that may be repeated is tried again, and the pause before each time.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Whether asking twice does the same as asking once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It does: try again when a service is away.
    Safe,
    /// It does not: the first try may have been carried out.
    Never,
}

/// What a command needs to speak to services.
#[derive(Debug)]
pub(crate) struct Client {
    common: Common,
    settings: OnceCell<Settings>,
    form: Form,
    clock: Clock,
}

/// Carries a command out.
pub(crate) async fn run(common: Common, command: Command) -> Result<(), Failed> {
    let client = Client::new(common);
    match command {
        Command::Report(report) => report::run(&client, report.command).await,
        Command::Case(case) => case::run(&client, case.command).await,
        Command::Alert(alert) => alert::run(&client, alert.command).await,
        Command::Org(organisation) => import::organisations(&client, organisation.command).await,
        Command::Staff(staff) => import::staff(&client, staff.command).await,
        Command::Contact(contact) => contact::run(&client, contact.command).await,
        Command::Notice(notice) => notice::run(&client, notice.command).await,
        Command::Gateway(gateway) => gateway::run(&client, gateway.command).await,
        Command::Suppression(suppression) => gateway::suppressions(&client, suppression.command).await,
        Command::Key(key) => key::run(&client, key.command).await,
        Command::Bus(bus) => bus::run(&client, bus.command).await,
        _ => Err(Failed::usage("this command is not asked of running services")),
    }
}

impl Client {
    /// A client that has connected to nothing yet.
    pub(crate) fn new(common: Common) -> Self {
        let form = if common.json { Form::Json } else { Form::Text };
        Self { common, settings: OnceCell::new(), form, clock: Clock::system() }
    }

    /// The settings, read when they are first needed.
    fn settings(&self) -> Result<&Settings, Failed> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let settings = config::load(self.common.config.as_deref())?;
        Ok(self.settings.get_or_init(|| settings))
    }

    /// A channel to a service; nothing is connected before the first call.
    pub(crate) fn channel(&self, service: Service) -> Result<Channel, Failed> {
        let (url, tls) = self.address(service)?;
        grpc::connect_with(&url, tls).map_err(|error| Failed::usage(with_causes(&error)))
    }

    /// The message as a request, with the key unless it is a reporter's: for those intake asks for the receipt only.
    fn request<M>(&self, with_key: bool, message: M) -> Result<Request<M>, Failed> {
        let mut request = Request::new(message);
        if with_key {
            let key = secret::key(self.common.key_file.as_deref())?;
            let bearer = MetadataValue::try_from(format!("Bearer {}", key.as_str()))
                .map_err(|_| Failed::usage("the key holds characters that no key has; check the file or TOCSIN_KEY"))?;
            request.metadata_mut().insert("authorization", bearer);
        }
        Ok(request)
    }

    /// Asks a verb, and again when the service is away and that does no harm. Intake is asked without the key.
    async fn call<M: Clone, R>(
        &self,
        service: Service,
        repeat: Repeat,
        message: M,
        verb: impl AsyncFn(Channel, Request<M>) -> Result<Response<R>, Status>,
    ) -> Result<R, Failed> {
        self.ask(service, service != Service::Intake, repeat, message, verb).await
    }

    /// The same, with the key wherever the verb is an operator's.
    async fn ask<M: Clone, R>(
        &self,
        service: Service,
        with_key: bool,
        repeat: Repeat,
        message: M,
        verb: impl AsyncFn(Channel, Request<M>) -> Result<Response<R>, Status>,
    ) -> Result<R, Failed> {
        let channel = self.channel(service)?;
        let mut pauses = PAUSES.iter();
        loop {
            let status = match verb(channel.clone(), self.request(with_key, message.clone())?).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            match pauses.next() {
                Some(pause) if repeat == Repeat::Safe && status.code() == Code::Unavailable => {
                    eprintln!("{service} is away; trying again in {:.1} s", pause.as_secs_f64());
                    tokio::time::sleep(*pause).await;
                }
                _ => return Err(Failed::from_status(service.as_str(), &status)),
            }
        }
    }

    /// Says where a long list goes on, beside it and not in it. As JSON it stands in the document.
    fn tell_of_more(&self, page_token: &str) {
        if self.form == Form::Text && !page_token.is_empty() {
            eprintln!("there are more: --page {page_token} shows the next, --all every one");
        }
    }

    /// Prints an answer: as JSON, or as the text that `text` makes of it.
    fn answer<M: Message>(
        &self,
        name: &'static str,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> Result<(), Failed> {
        match self.form {
            Form::Text => output::print(&text(message)),
            Form::Json => {
                let document = output::document(name, message)?;
                output::print(&format!("{document:#}"));
            }
        }
        Ok(())
    }
}
