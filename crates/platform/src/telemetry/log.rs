//! Log lines: for people or as JSON, one line an event, with the fields of the spans around it.

use std::fmt::Write as _;
use std::io::Write;

use serde_json::{Map, Value};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::allowed::Said;
use crate::config::LogForm;

/// Writes events. Fields outside the allow list never get as far as a line.
pub(super) struct LogLayer<W> {
    form: LogForm,
    writer: W,
}

impl<W> LogLayer<W> {
    pub(super) fn new(form: LogForm, writer: W) -> Self {
        Self { form, writer }
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut said = Said::default();
            attributes.record(&mut said);
            span.extensions_mut().insert(said);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(said) = span.extensions_mut().get_mut::<Said>()
        {
            values.record(said);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        // What an event says itself comes first and wins over the spans around it.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Said>() {
                for (name, value) in &outer.fields {
                    if !said.fields.iter().any(|(known, _)| known == name) {
                        said.fields.push((name, value.clone()));
                    }
                }
            }
        }
        let mut line = match self.form {
            LogForm::Text => text(event, &said),
            LogForm::Json => json(event, &said),
        };
        line.push('\n');
        // Nobody is left to tell when the log itself cannot be written.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
    }
}

/// The time as RFC 3339 in UTC. This is when the line was written, not a time that anything is decided by.
fn now() -> String {
    let mut text = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

fn text(event: &Event<'_>, said: &Said) -> String {
    let metadata = event.metadata();
    let message = said.message.as_deref().unwrap_or_default();
    let mut line = format!("{} {:>5} {}: {message}", now(), metadata.level(), metadata.target());
    for (name, value) in &said.fields {
        let _ = match value {
            Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '=']) => {
                write!(line, " {name}={text}")
            }
            other => write!(line, " {name}={other}"),
        };
    }
    line
}

fn json(event: &Event<'_>, said: &Said) -> String {
    let metadata = event.metadata();
    let mut object = Map::new();
    object.insert("time".to_owned(), Value::from(now()));
    object.insert("level".to_owned(), Value::from(metadata.level().as_str()));
    object.insert("target".to_owned(), Value::from(metadata.target()));
    object.insert("message".to_owned(), Value::from(said.message.as_deref().unwrap_or_default()));
    for (name, value) in &said.fields {
        object.insert((*name).to_owned(), value.clone());
    }
    Value::Object(object).to_string()
}
