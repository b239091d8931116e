//! Rows of queries over event data stores that have keys: sealed under the keys of all these stores.

use opentrail_cipher::{ChunkCipher, CipherFailed, KEY_BYTES, derived};
use zeroize::Zeroizing;

use super::QueryId;
use crate::warehouse::DataKey;

/// Name what derived keys are for.
const OF_STORES: &[u8] = b"opentrail query stores 1";
const OF_ROWS: &[u8] = b"opentrail query rows 1";

/// What the rows of a query are sealed with: a key that whoever has the keys of all its stores can derive, and nobody else.
#[derive(Clone)]
pub struct ResultSeal(Zeroizing<[u8; KEY_BYTES]>);

impl ResultSeal {
    /// The seal for rows of stores that have these keys, in this order; `None` where there are no keys.
    ///
    /// # Errors
    /// [`CipherFailed`].
    pub fn of(keys: &[DataKey]) -> Result<Option<Self>, CipherFailed> {
        if keys.is_empty() {
            return Ok(None);
        }
        let all: Zeroizing<Vec<u8>> = Zeroizing::new(keys.iter().flat_map(DataKey::bytes).copied().collect());
        derived(&all, &[OF_STORES]).map(|key| Some(Self(key)))
    }

    pub(super) fn cipher(&self, query: QueryId) -> Result<ChunkCipher, CipherFailed> {
        let id = query.bytes();
        ChunkCipher::new(&*self.0, &[OF_ROWS, &id], id)
    }
}

impl std::fmt::Debug for ResultSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResultSeal")
    }
}
