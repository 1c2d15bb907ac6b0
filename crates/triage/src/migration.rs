//! The tables of triage's database, the same for SQLite and PostgreSQL.

use sea_orm_migration::prelude::{
    DbErr, Index, MigrationName, MigrationTrait, MigratorTrait, SchemaManager, Table, TableCreateStatement, async_trait,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary, binary_uniq, boolean, integer, pk_uuid, string, string_null, string_uniq,
    uuid, uuid_uniq,
};
use tocsin_platform::sealing_keys;

/// Brings triage's database to the present form: the platform's tables first, then its own.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        tocsin_platform::database::migrations_with(Tables)
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20260102_000001_triage_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [cases(), contents(), messages(), early_messages()] {
            manager.create_table(table).await?;
        }
        for table in [sources(), assessments(), consents(), drafts(), approvals()] {
            manager.create_table(table).await?;
        }
        for table in [alerts(), alert_consents(), responses(), escalations(), audit()] {
            manager.create_table(table).await?;
        }
        for table in [reference_counters(), sealing_keys::table(), announced_keys()] {
            manager.create_table(table).await?;
        }
        create_indexes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

const TABLES: [&str; 17] = [
    "announced_keys",
    sealing_keys::TABLE,
    "reference_counters",
    "audit",
    "escalations",
    "responses",
    "alert_consents",
    "alerts",
    "approvals",
    "drafts",
    "consents",
    "assessments",
    "sources",
    "early_messages",
    "messages",
    "report_contents",
    "cases",
];

/// Everything that belongs to a case is read by its case; open clocks are read by their due time.
async fn create_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, order) in [("messages", "at_ms"), ("sources", "position"), ("consents", "position"), ("audit", "at_ms")]
    {
        let mut index = Index::create();
        index.name(format!("{table}_by_case")).table(table).col("case_id").col(order);
        if order == "position" {
            index.unique();
        }
        manager.create_index(index).await?;
    }
    for (name, table, columns, unique) in [
        ("cases_by_state", "cases", ["state", "case_id"], false),
        ("alerts_one_a_draft", "alerts", ["case_id", "draft_version"], true),
        ("alert_consents_by_consent", "alert_consents", ["consent_id", "alert_id"], false),
        ("early_messages_by_report", "early_messages", ["report_id", "at_ms"], false),
        ("escalations_due", "escalations", ["done_at_ms", "due_at_ms"], false),
    ] {
        let mut index = Index::create();
        index.name(name).table(table);
        for column in columns {
            index.col(column);
        }
        if unique {
            index.unique();
        }
        manager.create_index(index).await?;
    }
    Ok(())
}

fn cases() -> TableCreateStatement {
    Table::create()
        .table("cases")
        .col(pk_uuid("case_id"))
        .col(uuid_uniq("report_id"))
        .col(string("state"))
        .col(string("priority"))
        .col(boolean("assessed"))
        .col(big_integer("received_at_ms"))
        .col(big_integer_null("acknowledged_at_ms"))
        .col(string_null("coordinator"))
        .col(big_integer("answer_version"))
        .col(big_integer_null("stopped_at_ms"))
        .col(binary("receipt_key"))
        .col(binary_uniq("reference_hash"))
        .col(binary("sealed"))
        .to_owned()
}

fn contents() -> TableCreateStatement {
    Table::create().table("report_contents").col(pk_uuid("report_id")).col(binary("sealed")).to_owned()
}

fn messages() -> TableCreateStatement {
    Table::create()
        .table("messages")
        .col(pk_uuid("message_id"))
        .col(uuid("case_id"))
        .col(string("author"))
        .col(big_integer("at_ms"))
        .col(binary("sealed"))
        .to_owned()
}

fn early_messages() -> TableCreateStatement {
    Table::create()
        .table("early_messages")
        .col(pk_uuid("message_id"))
        .col(uuid("report_id"))
        .col(string("key_id"))
        .col(big_integer("at_ms"))
        .col(binary("sealed"))
        .to_owned()
}

fn sources() -> TableCreateStatement {
    Table::create()
        .table("sources")
        .col(pk_uuid("source_id"))
        .col(uuid("case_id"))
        .col(integer("position"))
        .col(string("recorded_by"))
        .col(big_integer("recorded_at_ms"))
        .col(binary("sealed"))
        .to_owned()
}

fn assessments() -> TableCreateStatement {
    Table::create()
        .table("assessments")
        .col(uuid("case_id"))
        .col(integer("position"))
        .col(string("assessed_by"))
        .col(big_integer("assessed_at_ms"))
        .col(binary("sealed"))
        .primary_key(Index::create().col("case_id").col("position"))
        .to_owned()
}

fn consents() -> TableCreateStatement {
    Table::create()
        .table("consents")
        .col(pk_uuid("consent_id"))
        .col(uuid("case_id"))
        .col(integer("position"))
        .col(string("recorded_by"))
        .col(big_integer("recorded_at_ms"))
        .col(binary("sealed"))
        .to_owned()
}

fn drafts() -> TableCreateStatement {
    Table::create()
        .table("drafts")
        .col(uuid("case_id"))
        .col(integer("version"))
        .col(uuid("draft_id"))
        .col(string("state"))
        .col(string("drafted_by"))
        .col(big_integer("drafted_at_ms"))
        .col(big_integer_null("approvals_due_at_ms"))
        .col(binary("sealed"))
        .primary_key(Index::create().col("case_id").col("version"))
        .to_owned()
}

fn approvals() -> TableCreateStatement {
    Table::create()
        .table("approvals")
        .col(uuid("case_id"))
        .col(integer("draft_version"))
        .col(string("approver"))
        .col(string("decision"))
        .col(big_integer("at_ms"))
        .col(binary("sealed"))
        .primary_key(Index::create().col("case_id").col("draft_version").col("approver"))
        .to_owned()
}

fn alerts() -> TableCreateStatement {
    Table::create()
        .table("alerts")
        .col(pk_uuid("alert_id"))
        .col(uuid("case_id"))
        .col(integer("revision"))
        .col(integer("draft_version"))
        .col(string_uniq("short_code"))
        .col(string("state"))
        .col(string("priority"))
        .col(boolean("drill"))
        .col(big_integer("released_at_ms"))
        .col(big_integer("deadline_at_ms"))
        .col(binary_uniq("reference_hash"))
        .col(binary("sealed"))
        .to_owned()
}

fn alert_consents() -> TableCreateStatement {
    Table::create()
        .table("alert_consents")
        .col(uuid("alert_id"))
        .col(uuid("consent_id"))
        .primary_key(Index::create().col("alert_id").col("consent_id"))
        .to_owned()
}

fn responses() -> TableCreateStatement {
    Table::create()
        .table("responses")
        .col(uuid("alert_id"))
        .col(string("organisation_id"))
        .col(string("response"))
        .col(big_integer("version"))
        .col(big_integer("at_ms"))
        .primary_key(Index::create().col("alert_id").col("organisation_id"))
        .to_owned()
}

fn escalations() -> TableCreateStatement {
    Table::create()
        .table("escalations")
        .col(uuid("case_id"))
        .col(integer("alarm"))
        .col(integer("level"))
        .col(big_integer("due_at_ms"))
        .col(big_integer_null("done_at_ms"))
        .col(string_null("outcome"))
        .primary_key(Index::create().col("case_id").col("alarm").col("level"))
        .to_owned()
}

fn audit() -> TableCreateStatement {
    Table::create()
        .table("audit")
        .col(pk_uuid("entry_id"))
        .col(uuid("case_id"))
        .col(string("actor"))
        .col(string("action"))
        .col(big_integer("at_ms"))
        .col(binary("sealed"))
        .to_owned()
}

fn reference_counters() -> TableCreateStatement {
    Table::create()
        .table("reference_counters")
        .col(binary("series_hash").primary_key())
        .col(big_integer("last_number"))
        .to_owned()
}

fn announced_keys() -> TableCreateStatement {
    Table::create()
        .table("announced_keys")
        .col(string("key_id").primary_key())
        .col(big_integer("announced_at_ms"))
        .to_owned()
}
