//! Cases: found by any of their names, opened with their key, saved whole.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect, Select,
};
use tocsin_domain::case::{CaseAction, CaseState};
use tocsin_domain::id::{ActorId, ReportId};
use tocsin_domain::priority::Priority;
use tocsin_domain::reference::Reference;
use tocsin_domain::report::Report;
use tocsin_platform::failure::Failure;
use tocsin_platform::seal::DataKey;
use tocsin_proto::intake::v1 as intake;
use uuid::Uuid;

use crate::entity::case::{content, file};
use crate::error::TriageError;
use crate::sealed::{self, CaseFacts, place};
use crate::store::alerts;
use crate::vault::Vault;

/// A case with the key that opens what was typed about it.
#[derive(Clone)]
pub(crate) struct OpenCase {
    pub(crate) row: file::Model,
    pub(crate) key: DataKey,
    pub(crate) facts: CaseFacts,
}

impl OpenCase {
    /// Opens a row with its key.
    pub(crate) fn open(row: file::Model, key: DataKey) -> Result<Self, TriageError> {
        let facts = sealed::open(&key, &facts_place(row.case_id), &row.sealed)?;
        Ok(Self { row, key, facts })
    }

    pub(crate) fn id(&self) -> Uuid {
        self.row.case_id
    }

    pub(crate) fn state(&self) -> Result<CaseState, TriageError> {
        self.row.state.parse().map_err(|_| TriageError::Foreign("the state of a case"))
    }

    pub(crate) fn priority(&self) -> Result<Priority, TriageError> {
        self.row.priority.parse().map_err(|_| TriageError::Foreign("the priority of a case"))
    }

    /// Moves the case on, if its state allows the action.
    pub(crate) fn act(&mut self, action: CaseAction) -> Result<(), TriageError> {
        self.row.state = self.state()?.after(action)?.to_string();
        Ok(())
    }

    /// Refuses what a stop-action forbids until somebody drafts anew.
    pub(crate) fn not_stopped(&self) -> Result<(), TriageError> {
        if self.row.stopped_at_ms.is_none() {
            return Ok(());
        }
        let says = "this case was stopped; draft the alert anew before it can be approved or released";
        Err(Failure::refused("CASE_STOPPED", says).into())
    }

    /// Makes somebody the owner of a case that has none. Returns whether it did.
    pub(crate) fn take(&mut self, actor: &ActorId, name: &str) -> bool {
        let free = self.row.coordinator.is_none();
        if free {
            self.row.coordinator = Some(actor.to_string());
            name.clone_into(&mut self.facts.coordinator_name);
        }
        free
    }

    /// The content of the report, as it arrived.
    pub(crate) async fn report<C: ConnectionTrait>(&self, connection: &C) -> Result<intake::Report, TriageError> {
        let stored = content::Entity::find_by_id(self.row.report_id).one(connection).await?;
        let stored = stored.ok_or(TriageError::Foreign("a case without a report"))?;
        let associated = report_place(self.row.report_id);
        Ok(sealed::open(&self.key, &associated, &stored.sealed)?)
    }

    /// The content of the report, as the domain reads it.
    pub(crate) async fn domain_report<C: ConnectionTrait>(&self, connection: &C) -> Result<Report, TriageError> {
        let report = self.report(connection).await?;
        tocsin_proto::convert::report_from_wire(&report).map_err(|_| TriageError::Foreign("the content of a report"))
    }

    /// Writes the whole row.
    pub(crate) async fn save(&self, transaction: &DatabaseTransaction) -> Result<(), TriageError> {
        let mut row = self.row.clone();
        row.sealed = sealed::close(&self.key, &facts_place(row.case_id), &self.facts)?;
        row.into_active_model().reset_all().update(transaction).await?;
        Ok(())
    }
}

/// Where a case's own facts are sealed.
pub(crate) fn facts_place(case: Uuid) -> String {
    place("cases", case, "facts")
}

/// What whoever sealed a report bound it to.
pub(crate) fn report_place(report: Uuid) -> String {
    format!("report:{}", ReportId::from_uuid(report))
}

/// Finds a case by its id, its report's id or a reference, and opens it.
pub(crate) async fn find<C: ConnectionTrait>(
    connection: &C,
    vault: &Vault,
    name: &str,
) -> Result<OpenCase, TriageError> {
    opened(connection, vault, named(connection, vault, name).await?).await
}

/// The same, and holds the row until the transaction ends: verbs on one case take turns.
pub(crate) async fn lock(
    transaction: &DatabaseTransaction,
    vault: &Vault,
    name: &str,
) -> Result<OpenCase, TriageError> {
    let query = named(transaction, vault, name).await?.lock_exclusive();
    opened(transaction, vault, query).await
}

async fn named<C: ConnectionTrait>(
    connection: &C,
    vault: &Vault,
    name: &str,
) -> Result<Select<file::Entity>, TriageError> {
    if let Ok(id) = Uuid::try_parse(name) {
        let either = Condition::any().add(file::Column::CaseId.eq(id)).add(file::Column::ReportId.eq(id));
        return Ok(file::Entity::find().filter(either));
    }
    let reference: Reference = name.parse().map_err(|_| unknown())?;
    let own = file::Entity::find().filter(file::Column::ReferenceHash.eq(alerts::reference_hash(vault, &reference)));
    if own.clone().one(connection).await?.is_some() {
        return Ok(own);
    }
    let case = alerts::case_of_reference(connection, vault, &reference).await?.ok_or_else(unknown)?;
    Ok(file::Entity::find_by_id(case))
}

async fn opened<C: ConnectionTrait>(
    connection: &C,
    vault: &Vault,
    query: Select<file::Entity>,
) -> Result<OpenCase, TriageError> {
    let row = query.one(connection).await?.ok_or_else(unknown)?;
    let key = vault.data_key(row.report_id).await?;
    OpenCase::open(row, key)
}

fn unknown() -> TriageError {
    let says = "no case has this id, report id or reference; list the cases to find it";
    Failure::not_found("CASE_UNKNOWN", says).into()
}

/// The row of a case whose report has this id.
pub(crate) async fn of_report<C: ConnectionTrait>(
    connection: &C,
    report: Uuid,
) -> Result<Option<file::Model>, TriageError> {
    Ok(file::Entity::find().filter(file::Column::ReportId.eq(report)).one(connection).await?)
}
