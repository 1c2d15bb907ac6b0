//! The tables of SMS.

use sea_orm_migration::prelude::{
    DbErr, Index, MigrationName, MigrationTrait, SchemaManager, Table, TableCreateStatement, async_trait,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary, boolean, integer, pk_uuid, text, text_null, uuid,
};

/// Submissions, receipts, spending and replies.
pub(super) struct SmsTables;

impl MigrationName for SmsTables {
    fn name(&self) -> &'static str {
        "m20261124_000001_notification_sms"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SmsTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            submissions(),
            watches(),
            early_receipts(),
            spend(),
            phones(),
            suppressions(),
            answers(),
            incoming(),
            gateways(),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        let indexes = [
            ("sms_submissions_message", "sms_submissions", vec!["gateway", "message_id"], false),
            ("sms_watches_due", "sms_watches", vec!["look_at_ms"], false),
            ("sms_early_receipts_age", "sms_early_receipts", vec!["received_at_ms"], false),
            ("sms_phones_mac", "sms_phones", vec!["phone_mac"], false),
            ("sms_answers_due", "sms_answers", vec!["due_at_ms"], false),
            ("sms_incoming_once", "sms_incoming", vec!["gateway", "message_id"], true),
            ("bulletins_short_code", "bulletins", vec!["short_code"], false),
        ];
        for (name, table, columns, unique) in indexes {
            let mut index = Index::create().name(name).table(table).to_owned();
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

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("bulletins_short_code").table("bulletins").to_owned()).await?;
        for table in [
            "sms_gateways",
            "sms_incoming",
            "sms_answers",
            "sms_suppressions",
            "sms_phones",
            "sms_spend",
            "sms_early_receipts",
            "sms_watches",
            "sms_submissions",
        ] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

fn submissions() -> TableCreateStatement {
    Table::create()
        .table("sms_submissions")
        .col(uuid("notice_id"))
        .col(text("gateway"))
        .primary_key(Index::create().col("notice_id").col("gateway"))
        .col(integer("tries"))
        .col(big_integer_null("open_since_ms"))
        .col(integer("unknown"))
        .col(text_null("message_id"))
        .col(big_integer_null("taken_at_ms"))
        .col(big_integer_null("accepted_at_ms"))
        .col(boolean("heard"))
        .col(boolean("failed"))
        .col(boolean("refused"))
        .col(big_integer_null("next_try_at_ms"))
        .to_owned()
}

fn watches() -> TableCreateStatement {
    Table::create()
        .table("sms_watches")
        .col(pk_uuid("notice_id"))
        .col(big_integer("look_at_ms"))
        .col(big_integer("give_up_at_ms"))
        .to_owned()
}

fn early_receipts() -> TableCreateStatement {
    Table::create()
        .table("sms_early_receipts")
        .col(text("gateway"))
        .col(text("message_id"))
        .primary_key(Index::create().col("gateway").col("message_id"))
        .col(text("state"))
        .col(big_integer("received_at_ms"))
        .to_owned()
}

fn spend() -> TableCreateStatement {
    Table::create()
        .table("sms_spend")
        .col(big_integer("day"))
        .col(big_integer("scope"))
        .primary_key(Index::create().col("day").col("scope"))
        .col(big_integer("units"))
        .to_owned()
}

fn phones() -> TableCreateStatement {
    Table::create().table("sms_phones").col(text("contact_id").primary_key()).col(text("phone_mac")).to_owned()
}

fn suppressions() -> TableCreateStatement {
    Table::create()
        .table("sms_suppressions")
        .col(text("phone_mac").primary_key())
        .col(big_integer("since_ms"))
        .to_owned()
}

fn answers() -> TableCreateStatement {
    Table::create()
        .table("sms_answers")
        .col(text("phone_mac"))
        .col(text("kind"))
        .primary_key(Index::create().col("phone_mac").col("kind"))
        .col(text("contact_id"))
        .col(text("gateway"))
        .col(big_integer("asked_at_ms"))
        .col(big_integer_null("due_at_ms"))
        .col(integer("tries"))
        .to_owned()
}

fn incoming() -> TableCreateStatement {
    Table::create()
        .table("sms_incoming")
        .col(pk_uuid("incoming_id"))
        .col(text("gateway"))
        .col(text("message_id"))
        .col(text("contact_id"))
        .col(binary("sealed"))
        .col(big_integer("received_at_ms"))
        .to_owned()
}

fn gateways() -> TableCreateStatement {
    Table::create()
        .table("sms_gateways")
        .col(text("name").primary_key())
        .col(boolean("paused"))
        .col(big_integer("changed_at_ms"))
        .to_owned()
}
