//! Answers of ours to STOP, START and HELP: one of each kind to a number, through the gateway by which it wrote.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;

use super::phone;
use super::spend::Spent;
use crate::channel::{Outcome, SmsMessage};
use crate::config::GatewayKind;
use crate::entity::sms::answer;
use crate::office::Office;
use crate::render::sms;

/// Answers in one round.
const ROUND_MAX: u64 = 20;
/// How often one is tried.
const TRIES_MAX: i32 = 3;
/// Until it is tried again, in milliseconds; also what it takes until another process takes over.
const AGAIN_MS: i64 = 60_000;
/// Help is given to one number once in this time, in milliseconds.
const HELP_EVERY_MS: i64 = 86_400_000;

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Stopped,
    Started,
    Help,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Stopped, Self::Started, Self::Help];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Started => "started",
            Self::Help => "help",
        }
    }
}

/// An answer that is owed.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) kind: Kind,
    pub(super) phone_mac: String,
    pub(super) gateway: String,
}

/// Writes that an answer is owed. Help is given once a day; the others once for each time that something changed.
pub(super) async fn owe<C: ConnectionTrait>(
    connection: &C,
    owed: &Answer,
    contact_id: &str,
    now_ms: i64,
) -> Result<(), DbErr> {
    use answer::Column;
    let known = answer::Entity::find_by_id((owed.phone_mac.clone(), owed.kind.as_str().to_owned())).one(connection);
    if let Some(known) = known.await?
        && owed.kind == Kind::Help
        && known.asked_at_ms > now_ms - HELP_EVERY_MS
    {
        return Ok(());
    }
    let row = answer::Model {
        phone_mac: owed.phone_mac.clone(),
        kind: owed.kind.as_str().to_owned(),
        contact_id: contact_id.to_owned(),
        gateway: owed.gateway.clone(),
        asked_at_ms: now_ms,
        due_at_ms: Some(now_ms),
        tries: 0,
    };
    let replaced = OnConflict::columns([Column::PhoneMac, Column::Kind])
        .update_columns([Column::ContactId, Column::Gateway, Column::AskedAtMs, Column::DueAtMs, Column::Tries])
        .to_owned();
    let row = row.into_active_model().reset_all();
    answer::Entity::insert(row).on_conflict(replaced).exec_without_returning(connection).await.map(|_| ())
}

/// An answer that is owed no more, because its reason has gone.
pub(super) async fn forget<C: ConnectionTrait>(connection: &C, phone_mac: &str, kind: Kind) -> Result<(), DbErr> {
    let key = (phone_mac.to_owned(), kind.as_str().to_owned());
    answer::Entity::delete_by_id(key).exec(connection).await.map(|_| ())
}

/// Gives what is due; returns how many were given.
pub(super) async fn give(office: &Office) -> Result<usize, DbErr> {
    let now_ms = to_ms(agreed_now(office.database.reader(), &office.clock).await?);
    let due = answer::Entity::find()
        .filter(answer::Column::DueAtMs.lte(now_ms))
        .order_by_asc(answer::Column::DueAtMs)
        .limit(ROUND_MAX)
        .all(office.database.reader())
        .await?;
    let count = due.len();
    for row in due {
        // Taken before it is sent: whoever dies here has answered once too little, never twice.
        if take(office, &row, now_ms).await? {
            let again = send(office, &row).await?;
            finish(office, &row, again).await?;
        }
    }
    Ok(count)
}

/// Takes it for this process.
async fn take(office: &Office, row: &answer::Model, now_ms: i64) -> Result<bool, DbErr> {
    let transaction = office.database.begin().await?;
    let last = row.tries + 1 >= TRIES_MAX;
    let taken = answer::Entity::update_many()
        .col_expr(answer::Column::DueAtMs, Expr::value((!last).then_some(now_ms + AGAIN_MS)))
        .col_expr(answer::Column::Tries, Expr::value(row.tries + 1))
        .filter(this(row))
        .filter(answer::Column::Tries.eq(row.tries))
        .filter(answer::Column::DueAtMs.eq(row.due_at_ms))
        .exec(&transaction)
        .await?;
    tocsin_platform::database::commit(transaction, "notification.answer_reply").await?;
    Ok(taken.rows_affected > 0)
}

fn this(row: &answer::Model) -> Condition {
    Condition::all()
        .add(answer::Column::PhoneMac.eq(row.phone_mac.as_str()))
        .add(answer::Column::Kind.eq(row.kind.as_str()))
}

/// Sends it; whether it is worth another try.
async fn send(office: &Office, row: &answer::Model) -> Result<bool, DbErr> {
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == row.kind) else { return Ok(false) };
    let Some(gateway) = office.gateways.named(&row.gateway) else { return Ok(false) };
    // Twilio answers STOP and START itself, and refuses to send to who has stopped.
    if gateway.kind == GatewayKind::Twilio && kind != Kind::Help {
        return Ok(false);
    }
    let ids = std::slice::from_ref(&row.contact_id);
    let contacts = office.directory.load(office.database.reader(), ids).await?;
    let Some(recipient) = contacts.get(&row.contact_id) else { return Ok(false) };
    let Some(to) = recipient.phone.as_deref() else { return Ok(false) };
    // The contact may have another number by now.
    if office.secrets.phone_mac(to) != row.phone_mac || !phone::is_allowed(to, &office.config.phone_prefixes) {
        return Ok(false);
    }
    let range = phone::range_of(to, office.config.sms.range_digits);
    let range = office.secrets.destination(&format!("range {range}"));
    if !pay(office, range, gateway.price.into()).await? {
        return Ok(true);
    }
    let text = sms::answer(kind, recipient.interface);
    let message = SmsMessage { to, text, id: "", receipt_url: "" };
    // What may have arrived is not said twice.
    Ok(match office.gateways.send(gateway, &message).await {
        Outcome::Temporary { code, .. } => code != "timeout" && code != "connection_broken",
        _ => false,
    })
}

/// Pays for a text that no notice stands for; false when a cap is reached.
pub(super) async fn pay(office: &Office, range: i64, cost: i64) -> Result<bool, DbErr> {
    let transaction = office.database.begin().await?;
    let now_ms = to_ms(agreed_now(&transaction, &office.clock).await?);
    let mut spent = Spent::lock(&transaction, &office.config.sms, &[range], now_ms).await?;
    let paid = spent.spend(range, cost).is_ok();
    spent.save(&transaction).await?;
    tocsin_platform::database::commit(transaction, "notification.pay_answer").await?;
    Ok(paid)
}

async fn finish(office: &Office, row: &answer::Model, again: bool) -> Result<(), DbErr> {
    if again {
        return Ok(());
    }
    let transaction = office.database.begin().await?;
    answer::Entity::update_many()
        .col_expr(answer::Column::DueAtMs, Expr::value(Option::<i64>::None))
        .filter(this(row))
        .filter(answer::Column::AskedAtMs.eq(row.asked_at_ms))
        .exec(&transaction)
        .await?;
    tocsin_platform::database::commit(transaction, "notification.answer_reply").await
}
