//! Values as text, as CloudTrail Lake shows them in results.
