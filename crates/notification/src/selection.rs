//! Which notices somebody means: by id, alert, contact, organisation, channel, host of webhooks and time, all of which
//! must hold.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use tocsin_domain::channel::Channel;
use tocsin_domain::reference::ShortCode;
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::notification::v1::NoticeSelection;
use uuid::Uuid;

use crate::entity::{bulletin, notice};
use crate::office::Office;
use crate::render::BulletinKind;

/// Ids in one request.
const IDS_MAX: usize = 1_000;
/// The port of every webhook that names none.
const WEBHOOK_PORT: u16 = 443;

/// What the notices have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    ids: Vec<Uuid>,
    pub(crate) alert: Option<Uuid>,
    contact_id: String,
    pub(crate) organisation_id: String,
    channel: Option<Channel>,
    destination: Option<i64>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

impl Selection {
    /// Reads what was asked for; something must be, so that nobody means everything by saying nothing.
    pub(crate) async fn read(office: &Office, given: Option<NoticeSelection>) -> Result<Self, Failure> {
        let given = given.unwrap_or_default();
        if given.notice_ids.len() > IDS_MAX {
            let says = format!("at most {IDS_MAX} ids fit into one request");
            return Err(Failure::invalid("TOO_MANY_IDS", says.clone()).field("selection.notice_ids", says));
        }
        let ids = given.notice_ids.iter().map(|id| notice_id(id)).collect::<Result<_, _>>()?;
        let host = given.webhook_host.trim();
        let destination = (!host.is_empty()).then(|| office.secrets.destination(&with_port(host)));
        let selection = Self {
            ids,
            alert: alert(office.database.reader(), &given.alert_id).await?,
            contact_id: given.contact_id,
            organisation_id: given.organisation_id,
            channel: channel(&given.channel)?,
            destination,
            since: moment("selection.since", given.since.is_some(), from_timestamp(given.since.as_ref()))?,
            until: moment("selection.until", given.until.is_some(), from_timestamp(given.until.as_ref()))?,
        };
        // What was understood counts, not what was sent: a host of blanks chooses nothing, and so everything.
        if selection.condition().is_empty() {
            let says = "say which: by id, alert, contact, organisation, channel, webhook host or time";
            return Err(Failure::invalid("SELECTION_NEEDED", says).field("selection", says));
        }
        Ok(selection)
    }

    /// Whether all notices of an alert are meant, or all of an organisation's.
    pub(crate) fn is_of_alert_only(&self) -> bool {
        self.alert.is_some()
            && self.ids.is_empty()
            && self.contact_id.is_empty()
            && self.channel.is_none()
            && self.destination.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }

    /// In SQL.
    pub(crate) fn condition(&self) -> Condition {
        use notice::Column;
        let mut all = Condition::all();
        if !self.ids.is_empty() {
            all = all.add(Column::NoticeId.is_in(self.ids.iter().copied()));
        }
        if let Some(alert) = self.alert {
            all = all.add(Column::BulletinId.eq(alert));
        }
        if !self.contact_id.is_empty() {
            all = all.add(Column::ContactId.eq(self.contact_id.as_str()));
        }
        if !self.organisation_id.is_empty() {
            all = all.add(Column::OrganisationId.eq(self.organisation_id.as_str()));
        }
        if let Some(channel) = self.channel {
            all = all.add(Column::Channel.eq(channel.as_str()));
        }
        if let Some(destination) = self.destination {
            all = all.add(Column::Channel.eq(Channel::Webhook.as_str())).add(Column::Destination.eq(destination));
        }
        if let Some(since) = self.since {
            all = all.add(Column::ChangedAtMs.gte(to_ms(since)));
        }
        if let Some(until) = self.until {
            all = all.add(Column::ChangedAtMs.lt(to_ms(until)));
        }
        all
    }

    /// As it is recorded; ids of many notices are counted, and stand with the change itself.
    pub(crate) fn words(&self) -> String {
        let moment = |at: &DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let mut words = Vec::new();
        match self.ids.as_slice() {
            [] => {}
            [one] => words.push(format!("notice {one}")),
            several => words.push(format!("{} notices by id", several.len())),
        }
        words.extend(self.alert.map(|alert| format!("alert {alert}")));
        words.extend((!self.contact_id.is_empty()).then(|| format!("contact {}", self.contact_id)));
        words.extend((!self.organisation_id.is_empty()).then(|| format!("organisation {}", self.organisation_id)));
        words.extend(self.channel.map(|channel| format!("channel {channel}")));
        words.extend(self.destination.map(|_| "one webhook host".to_owned()));
        words.extend(self.since.as_ref().map(|at| format!("since {}", moment(at))));
        words.extend(self.until.as_ref().map(|at| format!("until {}", moment(at))));
        words.join(", ")
    }
}

/// The id of a notice.
pub(crate) fn notice_id(given: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(given).map_err(|_| invalid("notice_id", format!("`{}` is no id of a notice", given.escape_debug())))
}

/// A moment, or none where none is given.
fn moment(field: &'static str, is_given: bool, read: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>, Failure> {
    if is_given && read.is_none() {
        return Err(invalid(field, "is no moment: its nanoseconds must lie between 0 and 999,999,999"));
    }
    Ok(read)
}

/// A channel, or none for an empty text.
pub(crate) fn channel(given: &str) -> Result<Option<Channel>, Failure> {
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|error: <Channel as std::str::FromStr>::Err| invalid("channel", error.to_string()))
}

/// The alert of an id or a short code; none for an empty text.
pub(crate) async fn alert<C: ConnectionTrait>(connection: &C, given: &str) -> Result<Option<Uuid>, Failure> {
    if given.is_empty() {
        return Ok(None);
    }
    if let Ok(id) = Uuid::try_parse(given) {
        return Ok(Some(id));
    }
    let code: ShortCode = given.parse().map_err(|error| {
        invalid("alert_id", format!("must be the id of an alert or its short code, as A7F3-K2C: {error}"))
    })?;
    let found: Option<Uuid> = bulletin::Entity::find()
        .select_only()
        .column(bulletin::Column::BulletinId)
        .filter(bulletin::Column::ShortCode.eq(code.to_string()))
        .filter(bulletin::Column::Kind.eq(BulletinKind::Alert.as_str()))
        .into_tuple()
        .one(connection)
        .await?;
    found.map(Some).ok_or_else(|| Failure::not_found("UNKNOWN_ALERT", "no notices of such an alert are known here"))
}

/// A field that cannot be read.
pub(crate) fn invalid(field: &str, description: impl Into<String>) -> Failure {
    Failure::invalid("INVALID_REQUEST", "the request cannot be read").field(field, description)
}

fn with_port(host: &str) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_ascii_lowercase() } else { format!("{}:{WEBHOOK_PORT}", host.to_ascii_lowercase()) }
}
