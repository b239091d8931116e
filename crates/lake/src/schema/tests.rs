use std::collections::BTreeMap;

use arrow_schema::{DataType, Field as ArrowField, TimeUnit};

use super::*;

/// The ids of an Arrow field and of what is in it, by path.
fn ids(prefix: &str, field: &ArrowField, found: &mut BTreeMap<String, i32>) {
    let path = format!("{prefix}.{}", field.name());
    // The struct around a map's key and value is no field of Iceberg's.
    if let Some(id) = field.metadata().get("PARQUET:field_id") {
        assert!(found.insert(path.clone(), id.parse().unwrap()).is_none(), "{path}");
    } else {
        assert_eq!(field.name(), "key_value");
    }
    match field.data_type() {
        DataType::Struct(fields) => fields.iter().for_each(|field| ids(&path, field, found)),
        DataType::List(field) | DataType::Map(field, _) => ids(&path, field, found),
        _ => {}
    }
}

fn ids_of(shape: Shape) -> BTreeMap<String, i32> {
    let mut found = BTreeMap::new();
    shape.arrow().fields().iter().for_each(|field| ids("", field, &mut found));
    found
}

#[test]
fn every_field_has_an_id_of_its_own_and_none_is_left_out() {
    for shape in Shape::ALL {
        let ids = ids_of(shape);
        let mut numbers: Vec<i32> = ids.values().copied().collect();
        numbers.sort_unstable();
        let whole: Vec<i32> = (1..=shape.iceberg().highest_field_id()).collect();
        assert_eq!(numbers, whole, "{shape:?}");
    }
}

#[test]
fn ids_that_were_written_into_files_stay() {
    let event = ids_of(Shape::Event);
    for (path, id) in [
        (".eventVersion", 1),
        (".eventTime", 3),
        (".eventID", 15),
        (".eventJson", 33),
        (".userIdentity.arn", 45),
        (".userIdentity.sessionContext.sessionIssuer.arn", 64),
        (".requestParameters.key_value.key", 77),
        (".resources.element.ARN", 86),
        (".eventContext.key_value.value", 119),
        (".opentrail_form", 120),
        (".opentrail_rest", 121),
    ] {
        assert_eq!(event.get(path), Some(&id), "{path}");
    }
    assert_eq!(event.len(), 121);
}

#[test]
fn types_are_those_of_aws() {
    let schema = Shape::Event.arrow();
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(schema.field_with_name(TIME).unwrap().data_type(), &time);
    assert_eq!(schema.field_with_name("readOnly").unwrap().data_type(), &DataType::Boolean);
    assert!(matches!(schema.field_with_name("requestParameters").unwrap().data_type(), DataType::Map(..)));
    assert!(matches!(schema.field_with_name("resources").unwrap().data_type(), DataType::List(_)));
    assert!(schema.field_with_name(RECORD).unwrap().is_nullable());
}

#[test]
fn queries_see_whole_records_and_nothing_that_stands_for_them() {
    for shape in Shape::ALL {
        let (stored, queried) = (shape.arrow(), shape.queried());
        assert!(!queried.field_with_name(RECORD).unwrap().is_nullable());
        assert_eq!(queried.fields().len() + 2, stored.fields().len());
        assert!(stored.fields().iter().rev().take(2).all(|field| field.name().starts_with("opentrail_")));
    }
}

#[test]
fn categories_have_their_shapes() {
    for category in ["Management", "Data", "NetworkActivity", "Insight"] {
        assert_eq!(Shape::of(category), Some(Shape::Event));
    }
    assert_eq!(Shape::of("ActivityAuditLog"), Some(Shape::Activity));
    assert_eq!(Shape::of("ConfigurationItem"), Some(Shape::ConfigurationItem));
    assert_eq!(Shape::of("Evidence"), Some(Shape::Evidence));
    assert_eq!(Shape::of("management"), None);
}
