//! The tables of events that arrive: which are known, which were given up on, and what the broker said about others.

/// Which events this service has already taken. A known copy changes nothing.
pub(crate) mod inbox {
    use sea_orm::entity::prelude::*;

    /// One event that was taken.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "inbox")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) consumer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) event_id: Uuid,
        /// When the last copy came, to the day.
        pub(crate) seen_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Events whose handling failed for their own fault, kept whole until a person has them run again.
pub(crate) mod dead_letter {
    use sea_orm::entity::prelude::*;

    /// One event in custody.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "dead_letters")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) consumer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) event_id: Uuid,
        pub(crate) kind: String,
        pub(crate) lane: i16,
        pub(crate) aggregate: String,
        pub(crate) version: i64,
        pub(crate) at_ms: i64,
        pub(crate) payload: Vec<u8>,
        pub(crate) traceparent: Option<String>,
        pub(crate) attempts: i32,
        pub(crate) fault: String,
        pub(crate) died_at_ms: i64,
        /// Set when a person asked for it to run again.
        pub(crate) redrive_at_ms: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the broker said about deliveries that it will not make again.
pub(crate) mod bus_advisory {
    use sea_orm::entity::prelude::*;

    /// One advisory.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bus_advisories")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) kind: String,
        pub(crate) stream: String,
        pub(crate) consumer: String,
        pub(crate) stream_sequence: i64,
        pub(crate) deliveries: i64,
        pub(crate) at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
