//! What is read from a person or a pipe: texts, and the receipt, which is asked for when it was not given.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;

use tocsin_platform::seal::Receipt;
use zeroize::Zeroizing;

use crate::arguments::report::Receipt as ReceiptArgument;
use crate::exit::{Exit, Failed};
use crate::files;
use crate::output::Form;

/// A receipt has 71 characters at most.
const RECEIPT_BYTES_MAX: u64 = 512;
/// More than anybody answers to a question.
const ANSWER_BYTES_MAX: u64 = 64;

/// The text that was given; `-` reads it from standard input.
pub(super) fn text(given: String) -> Result<String, Failed> {
    if given != "-" {
        return Ok(given);
    }
    Ok(files::read(Path::new("-"))?.text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The receipt: as given, or asked for. A word that no receipt has is named before anything is sent.
pub(super) fn receipt(given: ReceiptArgument, input_is_taken: bool) -> Result<Zeroizing<String>, Failed> {
    let words = match given.receipt {
        Some(words) => Zeroizing::new(words),
        None if input_is_taken => {
            return Err(Failed::usage("the text comes from standard input, so the receipt cannot be asked for there")
                .advise("set TOCSIN_RECEIPT"));
        }
        None => ask()?,
    };
    match Receipt::parse(&words) {
        Ok(receipt) => Ok(receipt.phrase()),
        Err(error) => Err(Failed::usage(error.to_string()).advise("compare the eight words with what you kept")),
    }
}

/// Asks whether to go on; where nobody can answer, that is a failure which says how to.
pub(super) fn confirm(form: Form, question: &str) -> Result<(), Failed> {
    if form == Form::Json || !std::io::stdin().is_terminal() {
        return Err(Failed::usage(format!("{question} Nobody is here to answer.")).advise("say --yes"));
    }
    let answer = line(&format!("{question} [y/N] "))?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failed::new(Exit::Other, "nothing was done"))
}

/// A line of a person.
pub(super) fn line(question: &str) -> Result<String, Failed> {
    eprint!("{question}");
    let mut answer = String::new();
    let read = std::io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer);
    read.map_err(|error| Failed::usage(format!("the answer cannot be read: {error}")))?;
    Ok(answer.trim().to_owned())
}

fn ask() -> Result<Zeroizing<String>, Failed> {
    let input = std::io::stdin();
    if input.is_terminal() {
        eprint!("The eight words of the receipt: ");
    }
    let mut words = Zeroizing::new(String::new());
    let read = input.lock().take(RECEIPT_BYTES_MAX).read_line(&mut words);
    read.map_err(|error| Failed::usage(format!("the receipt cannot be read from standard input: {error}")))?;
    Ok(words)
}
