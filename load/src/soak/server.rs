//! placeholder
pub(crate) fn run(_args: &mut lexopt::Parser) -> Result<(), String> {
    Ok(())
}
