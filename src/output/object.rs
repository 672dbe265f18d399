//! What a server says of a token or a person: any JSON object, as a table.

use serde_json::{Map, Value};

use super::table::{Cell, Table};

/// A row for each member; what is no text is shown as JSON.
#[must_use]
pub fn table(members: &Map<String, Value>) -> Table<2> {
    let mut table = Table::new(["NAME", "VALUE"]);
    for (name, value) in members {
        let value = match value {
            Value::String(text) => Cell::new(text),
            other => Cell::new(&other.to_string()),
        };
        table.row([Cell::new(name), value]);
    }
    table
}
