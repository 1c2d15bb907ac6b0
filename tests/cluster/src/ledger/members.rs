//! Members who read their feed without end and answer each alert; a stream that breaks is taken up again at its cursor
//! on the other process.

use std::collections::BTreeSet;
use std::time::Duration;

use tocsin_proto::dispatch::v1::{RespondToAlertRequest, WatchAlertsRequest};
use tocsin_tests::Outcome;
use tocsin_tests::clients::bearing;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use super::houses::{Attempt, Houses, is_away};
use super::reporters::Stop;

/// How long an answer may be tried.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often a quiet stream looks whether the trial has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Somebody who reads for an organisation.
#[derive(Debug, Clone)]
pub struct Member {
    /// Clients of both processes.
    pub houses: Houses,
    /// The organisation.
    pub organisation: String,
    /// A delegate's key.
    pub secret: String,
    /// What it answers to every alert.
    pub response: String,
}

impl Member {
    /// Starts to read and to answer.
    pub fn start(self, stop: Stop) -> JoinHandle<Outcome<()>> {
        // From now on it is owed every alert.
        self.houses.ledger.with(|promises| promises.shown.insert(self.organisation.clone(), BTreeSet::new()));
        tokio::spawn(async move {
            let mut cursor = String::new();
            while !stop.is_set() {
                self.read(&mut cursor, &stop).await?;
            }
            Ok(())
        })
    }

    /// Reads one stream to its end.
    async fn read(&self, cursor: &mut String, stop: &Stop) -> Outcome<()> {
        let at = cursor.clone();
        let opened = self
            .houses
            .attempt(|clients| async move {
                let request = bearing(&self.secret, WatchAlertsRequest { cursor: at })?;
                Ok(clients.alerts.clone().watch_alerts(request).await)
            })
            .await?;
        let mut stream = match opened {
            Attempt::Done(stream) => stream,
            Attempt::Away => return Ok(()),
            Attempt::Refused(status) => {
                self.refused(&status).await;
                return Ok(());
            }
        };
        while !stop.is_set() {
            let Ok(entry) = tokio::time::timeout(LOOK_INTERVAL, stream.message()).await else { continue };
            match entry {
                Ok(Some(entry)) => {
                    let alert = entry.alert.unwrap_or_default().alert_id;
                    let shown = (self.organisation.clone(), alert.clone());
                    self.houses.ledger.with(|promises| promises.shown.entry(shown.0).or_default().insert(shown.1));
                    if entry.change == "released" {
                        self.respond(&alert).await?;
                    }
                    *cursor = entry.cursor;
                }
                // The end of a stream's life: the next one goes on at the cursor.
                Ok(None) => return Ok(()),
                Err(status) => {
                    self.refused(&status).await;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn refused(&self, status: &Status) {
        if !is_away(status) && status.code() != Code::ResourceExhausted {
            let what = format!("the feed of {}: {:?}: {}", self.organisation, status.code(), status.message());
            self.houses.ledger.surprise(what);
        }
        self.houses.turn().await;
    }

    async fn respond(&self, alert: &str) -> Outcome<()> {
        let answered = self
            .houses
            .ask(PATIENCE, |clients| async move {
                let request = RespondToAlertRequest { alert: alert.to_owned(), response: self.response.clone() };
                Ok(clients.alerts.clone().respond_to_alert(bearing(&self.secret, request)?).await)
            })
            .await?;
        self.houses.ledger.with(|promises| match answered {
            Ok(answer) => {
                promises.responses.insert((alert.to_owned(), answer.organisation_id, answer.response));
            }
            Err(status) => {
                promises.surprises.push(format!("an answer to {alert}: {:?}: {}", status.code(), status.message()));
            }
        });
        Ok(())
    }
}
