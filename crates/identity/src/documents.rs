//! Reading documents, whether from the state or from within a transaction.

use std::sync::Arc;

use opentrail_state::{Resource, State, Transaction};

/// Where documents are read from: the state as it is, or a transaction with its staged changes.
pub trait Documents {
    /// The document of this id.
    fn document<T: Resource>(&self, id: &str) -> Option<Arc<T>>;
    /// The documents whose ids begin so, in the order of their ids.
    fn documents<T: Resource>(&self, prefix: &str) -> Vec<(String, Arc<T>)>;
    /// How many documents have ids that begin so.
    fn count<T: Resource>(&self, prefix: &str) -> usize {
        self.documents::<T>(prefix).len()
    }
}

impl Documents for State {
    fn document<T: Resource>(&self, id: &str) -> Option<Arc<T>> {
        self.get(id)
    }

    fn documents<T: Resource>(&self, prefix: &str) -> Vec<(String, Arc<T>)> {
        self.list(prefix)
    }
}

impl Documents for Transaction {
    fn document<T: Resource>(&self, id: &str) -> Option<Arc<T>> {
        self.get(id)
    }

    fn documents<T: Resource>(&self, prefix: &str) -> Vec<(String, Arc<T>)> {
        self.list(prefix)
    }
}
