//! The memo program, version 2: its data is the text, whole. With accounts it would demand their
//! signatures; none is accepted. Writes the text to the chain's log and moves nothing. Source: the
//! program, `spl_memo::processor`.

use super::SolanaError;
use super::message::Instruction;
use crate::address::SolanaAddress;
use crate::memo::Memo;

/// `MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr`.
pub(super) const PROGRAM: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr".as_slice())
        .into_array_const_unwrap(),
);

pub(super) fn parse(instruction: &Instruction<'_>) -> Result<Memo, SolanaError> {
    if !instruction.accounts.is_empty() {
        return Err(SolanaError::MemoAccounts);
    }
    std::str::from_utf8(instruction.data)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(SolanaError::MemoText)
}
