//! The command line as people type it, and the help they read.

use clap::{CommandFactory as _, FromArgMatches as _};

use super::*;

fn read(words: &str) -> Result<Command, clap::Error> {
    let matches = command().try_get_matches_from(std::iter::once("tocsin").chain(words.split_whitespace()))?;
    Ok(Arguments::from_arg_matches(&matches)?.command)
}

#[test]
fn the_tree_has_no_contradictions() {
    command().debug_assert();
}

#[test]
fn a_redrive_says_exactly_what_it_means() {
    for words in ["bus redrive", "bus redrive --all --dead-letter id", "bus redrive --since 2026-07-05T12:00:00+00:00"]
    {
        assert!(read(words).is_err(), "{words}");
    }
}

/// One line for each form that people use.
const COMMANDS: &[&str] = &[
    "demo --scenario a.json --network b.json --exit --summary json --folder dir",
    "up --data-folder dir",
    "serve intake",
    "health intake",
    "migrate",
    "migrate intake triage",
    "doctor --json",
    "backup target",
    "restore source --data-folder dir",
    "certs new dir --host tocsin.example --host 192.0.2.7 --days 90",
    "certs renew dir",
    "certs renew dir intake nats --days 30",
    "certs show dir --json",
    "secrets new dir",
    "config show",
    "config default",
    "completions bash",
    "report submit file.json --idempotency-key 12345678",
    "report show",
    "report add text",
    "report add -",
    "case list --state received",
    "case show XA-2026-0001",
    "case acknowledge XA-2026-0001",
    "case verify X --link lawyer --reliability A --information 1 --first-hand --relays s",
    "case assess X --factors - --override duress --override armed_present --claim likely",
    "case assess X --gravity 3 --specific-direct-threat --claim likely --priority p1 --reason why",
    "case consent X --who w --purpose p --audience a --identity-level none --status granted --form written \
     --expires-at 2026-08-01T00:00:00+03:00 --limit-organisation o --limit-organisation q --limit-language es \
     --limit-note n --reason r",
    "case draft X -",
    "case submit X",
    "case approve X --draft-version 1",
    "case reject X --draft-version 1 --reason r",
    "case preview X",
    "case release X --drill",
    "case answer X text --question",
    "case stop X --reason r",
    "alert release X --drill",
    "alert watch --cursor c --follow=false --count 3",
    "alert watch --follow",
    "alert list",
    "alert show A",
    "alert ack A",
    "alert respond A signed",
    "alert coverage A --notices --watch",
    "org import file.json --secrets s",
    "org list",
    "org key org-001 --name n",
    "staff import file.json",
    "contact list --organisation o --unverified --show-addresses --limit 5 --all",
    "contact list --page t --json",
    "contact show c --show-addresses",
    "contact add c --organisation o --language es --time-zone Etc/UTC --channel email --channel sms --email e \
     --phone p --quiet-hours 22:00-07:00 --urgent-overrides-quiet-hours --role duty --secrets s",
    "contact add --file - --organisation o",
    "contact verify c --channel sms --code 123456",
    "contact test c --channel email",
    "contact rotate c --save f",
    "notice list --alert a --state s --contact c --organisation o --channel sms --lane urgent --page t",
    "notice show n",
    "notice progress a",
    "notice redrive a b --reason mended",
    "notice redrive --channel email --since 2026-07-05T12:00:00+00:00 --until 2026-07-05T13:00:00+00:00 --reason r --yes",
    "notice redrive --webhook-host h --contact c --reason r",
    "notice withdraw --alert a --organisation o --reason r --yes",
    "notice changes --limit 20",
    "gateway list",
    "gateway test kannel --to +447700900123 --language es",
    "gateway pause kannel --reason maintenance",
    "gateway resume mail.example:587 --reason mended",
    "gateway degraded --limit 20 --page t",
    "gateway degraded --all --json",
    "suppression list --all",
    "suppression add c --reason r",
    "suppression remove c",
    "key issue --actor a --name n --role coordinator --role verifier --organisation o --country XA --expires-in 90d",
    "key revoke id",
    "bus status",
    "bus status --service triage --json",
    "bus dead-letters --service triage",
    "bus redrive --dead-letter id",
    "bus redrive --kind report.received --service triage",
    "bus redrive --all",
    "bus redrive --since 2026-07-05T12:00:00+00:00 --service intake",
    "bus advisories",
    "key list --triage http://127.0.0.1:1 --key-file k --authority f --json",
];

#[test]
fn every_command_that_is_asked_for_is_read() {
    for words in COMMANDS {
        assert!(read(words).is_ok(), "{words}: {}", read(words).unwrap_err());
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for words in [
        "",
        "case",
        "serve postman",
        "certs new",
        "certs new dir --days 0",
        "secrets renew dir",
        "case assess X --factors f --gravity 3 --claim likely",
        "case assess X --gravity 3 --claim likely --priority p1",
        "case consent X --who w",
        "case approve X",
        "case consent X --who w --purpose p --audience a --identity-level none --status granted --form written --expires-at Friday",
        "alert watch --count 0",
        "notice redrive --reason r",
        "notice redrive n",
        "notice withdraw --reason r",
        "notice list --all --page t",
        "notice list --limit 0",
        "gateway pause kannel",
        "gateway test kannel",
        "gateway degraded kannel",
        "contact add",
        "contact add c --file f",
        "contact verify c",
        "key issue --actor a --name n",
        "key issue --actor a --name n --role r --expires-in soon",
        "key list --certificate c",
        "demo --summary xml",
        "key issue --actor a --name n --role r --key tcs_secret",
    ] {
        assert_eq!(read(words).unwrap_err().exit_code(), 2, "{words}");
    }
}

#[test]
fn following_is_the_default() {
    for (words, expected) in
        [("alert watch", true), ("alert watch --follow", true), ("alert watch --follow=false", false)]
    {
        let Command::Alert(alert::Alert { command: alert::AlertCommand::Watch(watch) }) = read(words).unwrap() else {
            panic!("{words} is no watch");
        };
        assert_eq!(watch.follow, expected, "{words}");
    }
}

#[test]
fn every_command_explains_itself_and_gives_an_example() {
    let mut commands = vec![Arguments::command()];
    while let Some(command) = commands.pop() {
        let children: Vec<_> = command.get_subcommands().cloned().collect();
        assert!(command.get_about().is_some(), "{} has no description", command.get_name());
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(!children.is_empty() || help.contains("xample"), "{} has no example", command.get_name());
        commands.extend(children);
    }
}

#[test]
fn the_help_at_the_top_shows_everything_in_groups() {
    let help = command().term_width(100).render_help().to_string();
    insta::assert_snapshot!(help, @r"
    Tocsin: the alarm bell of a network that protects human rights defenders

    Usage: tocsin [OPTIONS] <COMMAND>

    See it:
      demo         Ring the bell once on this machine and watch it: an invented network, real services, nothing leaves

    Run it:
      up           Run all four services in this process
      serve        Run one service in this process
      health       Ask a service of this machine whether it is ready
      migrate      Bring databases to the form that this version needs
      doctor       Check that everything here can work, and say what to do where it cannot
      backup       Copy an embedded installation while it runs
      restore      Put a copy back in place of an installation that is not running
      certs        Certificates of an installation of several processes, under an authority of its own
      secrets      Key files that processes share, made before the first start
      config       Show settings
      completions  Print completions for a shell

    Use it:
      report       Submit a report, see what was answered, add to it. Needs no key: the receipt is the key
      case         Work on a case, from the first answer to the release
      alert        Follow alerts, answer them, see whom they reached

    Administer it:
      org          Organisations and their contacts
      staff        The contacts of the people who do the work: the duty roster
      contact      Contacts one by one: see, add, prove and try their addresses; new webhook keys
      key          Keys of people and programs

    Look after deliveries:
      notice       Notices: where each stands, every attempt; send again or withdraw by hand
      gateway      Smarthosts, SMS gateways, Signal and Matrix: how each stands; test, pause, resume
      suppression  E-mail addresses that are not written to
      bus          The bus between services: what is owed, what could not be taken, and having it run again

    Options:
          --config <FILE>    The settings file; `tocsin config default` prints one with every setting
                             explained [env: TOCSIN_CONFIG]
          --json             Print one JSON document for programs (streams print one a line); failures
                             are JSON on standard error
          --key-file <FILE>  A file that holds your key; otherwise the variable `TOCSIN_KEY` is read. A
                             key is never an argument, because everybody on a machine can see the
                             arguments of a process [env: TOCSIN_KEY_FILE]
      -h, --help             Print help (see more with '--help')
      -V, --version          Print version

    Exit codes:
      0  done
      1  failed for another reason
      2  wrong usage, or input that a service finds invalid
      3  refused in the present state, for instance by the release gate
      4  not allowed, or no valid key
      5  not found
      6  a service is away or overloaded: try again
    ");
}

#[test]
fn the_help_of_case_shows_the_road_of_a_case() {
    let help = command().find_subcommand("case").unwrap().clone().term_width(100).render_help().to_string();
    insta::assert_snapshot!(help, @r"
    Work on a case, from the first answer to the release

    Usage: case <COMMAND>

    See:
      list         List cases, the newest first
      show         Show a case with its report, if your role may read it. The reading is recorded

    First answer:
      acknowledge  Say that a person has seen it: stops the clock of the first answer
      answer       Write to the reporter

    Verify and weigh:
      verify       Record a source and how far it can be relied on
      assess       Weigh the risk: score, priority, and when a release is due
      consent      Record who consents to what. Versions are never changed, only followed by newer ones

    Draft and approve:
      draft        Write a new version of the alert; earlier approvals no longer count
      submit       Submit the draft for two approvals
      approve      Approve the version of the draft that you have read
      reject       Reject the version of the draft that you have read, with the reason

    Release:
      preview      Show whom a release would reach, what each would read, and every reason against it
      release      Release the approved alert. Exits with 3 and every reason if the gate refuses
      stop         Stop the action: what is queued is withdrawn, released alerts are recalled

    Options:
      -h, --help  Print help
    ");
}

#[test]
fn the_help_of_gateway_shows_what_can_be_done_and_what_fails() {
    let mut gateway = command().find_subcommand("gateway").unwrap().clone().term_width(100);
    let degraded = gateway.find_subcommand("degraded").unwrap().clone().term_width(100).render_help().to_string();
    insta::assert_snapshot!(format!("{}\n{degraded}", gateway.render_help()), @r"
    Smarthosts, SMS gateways, Signal and Matrix: how each stands; test, pause, resume

    Usage: gateway <COMMAND>

    Commands:
      list      List smarthosts, SMS gateways, Signal and Matrix, and how each stands
      test      Send a text that says that it is a test through one gateway, now, also while it is
                paused
      pause     Send nothing more through a gateway until it is resumed, by any process. Receipts are
                still taken
      resume    Use a paused gateway again; what waited for it leaves at once
      degraded  List destinations that fail, webhook hosts too, those that fail longest first

    Options:
      -h, --help  Print help

    List destinations that fail, webhook hosts too, those that fail longest first

    Usage: degraded [OPTIONS]

    Options:
          --limit <NUMBER>  How many to show, at most 200 [default: 50]
          --page <TOKEN>    Go on where the page before ended, as it said
          --all             Show every page
      -h, --help            Print help

    It is what the asked process has seen since its start; another process may see others.
    Coordinators and duty officers see whose attempts failed; --json names up to a hundred.

    Example:
      tocsin gateway degraded
    ");
}
