//! The one binary: it runs the services, shows them in a demo, looks after an installation, and is the client of
//! whoever reports, decides or receives. This file only chooses which.

mod arguments;
mod assembly;
mod certs;
mod client;
mod created;
mod demo;
mod doctor;
mod exit;
mod files;
mod output;
mod run;
mod secrets;

use std::process::ExitCode;

use clap::FromArgMatches as _;
use tocsin_platform::config::{self, ConfigError, Settings};

use arguments::{Arguments, Command, Common, Config, ConfigCommand, Place};
use exit::Failed;
use output::Form;

fn main() -> ExitCode {
    #[cfg(feature = "fail-points")]
    let _armed = tocsin_platform::fail_points::arm();
    let matches = arguments::command().get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let form = form(&arguments.common);
    let ended = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(carry_out(arguments)),
        Err(error) => Err(Failed::other("no threads could be started", &error)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            failed.tell(form);
            failed.exit.into()
        }
    }
}

fn form(common: &Common) -> Form {
    if common.json { Form::Json } else { Form::Text }
}

async fn carry_out(arguments: Arguments) -> Result<(), Failed> {
    let Arguments { common, command } = arguments;
    match command {
        // A process that runs services has large futures; they live on the heap, once.
        Command::Demo(demo) => Box::pin(demo::run(demo)).await,
        Command::Up(up) => Box::pin(run::up::run(settings(&common, &up.place)?)).await,
        Command::Serve(serve) => Box::pin(run::serve::run(serve.service, settings(&common, &serve.place)?)).await,
        Command::Health(health) => run::health::run(health.service, settings(&common, &health.place)?).await,
        Command::Migrate(migrate) => run::migrate::run(&migrate.services, settings(&common, &migrate.place)?).await,
        Command::Doctor(doctor) => {
            let settings = settings(&common, &doctor.place);
            doctor::run(common, settings).await
        }
        Command::Backup(backup) => run::backup::backup(&backup.target, settings(&common, &backup.place)?).await,
        Command::Restore(restore) => run::backup::restore(&restore.source, &restore.data_folder).await,
        Command::Certs(certs) => certs::run(form(&common), certs.command),
        Command::Secrets(secrets) => secrets::run(form(&common), secrets.command),
        Command::Config(config) => show_settings(&common, &config),
        Command::Completions(completions) => {
            let mut script = Vec::new();
            clap_complete::generate(completions.shell, &mut arguments::command(), "tocsin", &mut script);
            output::print(&String::from_utf8_lossy(&script));
            Ok(())
        }
        command => client::run(common, command).await,
    }
}

fn settings(common: &Common, place: &Place) -> Result<Settings, ConfigError> {
    let file = common.config.as_deref();
    match place.data_folder.as_deref() {
        Some(folder) => config::load_in(file, folder),
        None => config::load(file),
    }
}

fn show_settings(common: &Common, config: &Config) -> Result<(), Failed> {
    match config.command {
        ConfigCommand::Default => output::print(config::default_file()),
        ConfigCommand::Show => {
            let settings = config::load(common.config.as_deref())?;
            output::print(&format!("{:#}", settings.effective()));
        }
    }
    Ok(())
}
