"""Holds every answer against botocore's service models.

An unknown member, a wrong type, a missing required member or an error that neither the operation
nor its service documents fails the call. Works inside boto3 (``watch``) and inside the AWS CLI, as
a plugin (``awscli_initialize``).
"""

import base64
import datetime
import json
import re
import xml.etree.ElementTree as ET

from botocore.model import ListShape, MapShape, StructureShape
from botocore.utils import parse_timestamp

# Errors that a service documents once for all its operations ("Common errors" in its API reference).
COMMON_ERRORS = {
    "cloudtrail": {
        "AccessDeniedException", "ExpiredTokenException", "IncompleteSignature", "IncompleteSignatureException",
        "InternalFailure", "InvalidSignatureException", "MissingAuthenticationTokenException",
        "RequestEntityTooLargeException", "SerializationException", "ServiceUnavailableException",
        "ThrottlingException", "UnknownOperationException", "UnrecognizedClientException",
        "UnsupportedOperationException", "ValidationException",
    },
    "iam": {
        "AccessDenied", "ExpiredToken", "IncompleteSignature", "InternalFailure", "InvalidAction",
        "InvalidClientTokenId", "MalformedInput", "MissingAuthenticationToken", "RequestExpired",
        "RequestEntityTooLarge", "ServiceUnavailable", "SignatureDoesNotMatch", "Throttling",
        "UnsupportedOperation", "ValidationError",
    },
    # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and bare status codes for HEAD.
    "s3": {
        "301", "304", "307", "400", "403", "404", "405", "412", "416", "AccessDenied", "AuthorizationHeaderMalformed",
        "AuthorizationQueryParametersError", "BadDigest", "BucketAlreadyExists", "BucketAlreadyOwnedByYou",
        "BucketNotEmpty", "ConditionalRequestConflict", "EntityTooLarge", "EntityTooSmall", "ExpiredToken",
        "IllegalVersioningConfigurationException", "IncompleteBody", "InternalError", "InvalidAccessKeyId",
        "InvalidArgument", "InvalidBucketName", "InvalidBucketState", "InvalidDigest", "InvalidLocationConstraint",
        "InvalidObjectState", "InvalidPart", "InvalidPartOrder", "InvalidRange", "InvalidRequest", "InvalidTag",
        "InvalidToken", "KeyTooLongError", "MalformedPolicy", "MalformedXML", "MetadataTooLarge", "MethodNotAllowed",
        "MissingContentLength", "MissingSecurityHeader", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchCORSConfiguration",
        "NoSuchKey", "NoSuchLifecycleConfiguration", "NoSuchTagSet", "NoSuchUpload", "NoSuchVersion",
        "NoSuchPublicAccessBlockConfiguration", "NoSuchWebsiteConfiguration", "NoSuchObjectLockConfiguration",
        "NotImplemented", "ObjectLockConfigurationNotFoundError", "OwnershipControlsNotFoundError",
        "PermanentRedirect", "PreconditionFailed", "ReplicationConfigurationNotFoundError", "RequestTimeTooSkewed",
        "RequestTimeout", "ServerSideEncryptionConfigurationNotFoundError", "ServiceUnavailable",
        "SignatureDoesNotMatch", "SlowDown", "TooManyBuckets", "UnexpectedContent", "XAmzContentSHA256Mismatch",
    },
}
COMMON_ERRORS["sts"] = COMMON_ERRORS["iam"]
COMMON_ERRORS["kms"] = COMMON_ERRORS["organizations"] = COMMON_ERRORS["cloudtrail"]
COMMON_ERRORS["cloudtrail-data"] = COMMON_ERRORS["cloudtrail"]


class Nonconformity(AssertionError):
    """An answer that AWS's model of the operation does not allow."""


def watch(session):
    """Checks every answer that clients of this botocore session get from now on."""
    session.register("after-call", check)


def awscli_initialize(event_handlers):
    """The AWS CLI's plugin hook."""
    event_handlers.register("after-call", check)


def check(http_response, parsed, model, **_):
    """Handler of botocore's ``after-call``."""
    status = http_response.status_code
    if status >= 300:
        check_error(model, parsed, status)
        return
    protocol = model.service_model.protocol
    if model.output_shape is None:
        return
    if protocol == "json":
        value = json.loads(http_response.content or b"{}")
        JsonWalk(model).structure(model.output_shape, value, model.name)
    elif protocol == "query":
        root = ET.fromstring(http_response.content)
        expect(local(root) == f"{model.name}Response", model, f"root element is {local(root)}")
        wrapper = model.output_shape.serialization.get("resultWrapper")
        inner = children(root).get(wrapper, [None])[0] if wrapper else root
        expect(inner is not None, model, f"{wrapper} is missing")
        expect("ResponseMetadata" in children(root), model, "ResponseMetadata is missing")
        XmlWalk(model).structure(model.output_shape, inner, model.name)
    elif protocol == "rest-xml":
        check_rest(http_response, model)


def check_rest(http_response, model):
    """S3: members in headers, and a body that is a stream or an XML document."""
    shape = model.output_shape
    payload = shape.serialization.get("payload")
    walk = XmlWalk(model)
    for name, member in shape.members.items():
        if member.serialization.get("location") == "header":
            text = http_response.headers.get(member.serialization.get("name", name))
            if text is not None and member.type_name != "timestamp":
                walk.scalar(member, text, f"{model.name}.{name}")
    if payload and not isinstance(shape.members[payload], StructureShape):
        return
    if not http_response.content or model.http.get("method") == "HEAD":
        return
    root = ET.fromstring(http_response.content)
    target = shape.members[payload] if payload else shape
    in_body = {
        name: member for name, member in target.members.items()
        if member.serialization.get("location") is None
    }
    if not in_body:
        return
    if model.name == "GetBucketLocation":
        return
    walk.members(in_body, set(), root, model.name)


def check_error(model, parsed, status):
    """The code must be one that the operation or its service documents, with a message."""
    error = parsed.get("Error", {})
    code = error.get("Code", "")
    service = model.service_model.service_name
    declared = {
        shape.metadata.get("error", {}).get("code") or shape.name for shape in model.error_shapes
    }
    allowed = declared | COMMON_ERRORS.get(service, set())
    expect(code in allowed, model, f"undeclared error {code!r} with status {status}: {error.get('Message')}")
    if service != "s3" or not code.isdigit():
        expect(bool(error.get("Message")), model, f"{code} has no message")
    if service in ("iam", "sts"):
        for shape in model.error_shapes:
            described = shape.metadata.get("error", {})
            if described.get("code") == code and "httpStatusCode" in described:
                expect(described["httpStatusCode"] == status, model, f"{code} came with status {status}")


def expect(holds, model, complaint):
    if not holds:
        raise Nonconformity(f"{model.service_model.service_name}:{model.name}: {complaint}")


class JsonWalk:
    """Compares a JSON value with a shape."""

    def __init__(self, model):
        self.model = model

    def value(self, shape, value, path):
        if isinstance(shape, StructureShape):
            self.structure(shape, value, path)
        elif isinstance(shape, ListShape):
            expect(isinstance(value, list), self.model, f"{path} is no list")
            for index, item in enumerate(value):
                self.value(shape.member, item, f"{path}[{index}]")
        elif isinstance(shape, MapShape):
            expect(isinstance(value, dict), self.model, f"{path} is no map")
            for key, item in value.items():
                self.value(shape.value, item, f"{path}[{key!r}]")
        else:
            self.scalar(shape, value, path)

    def structure(self, shape, value, path):
        expect(isinstance(value, dict), self.model, f"{path} is no structure")
        for name, item in value.items():
            expect(name in shape.members, self.model, f"{path}.{name} is unknown")
            expect(item is not None, self.model, f"{path}.{name} is null")
            self.value(shape.members[name], item, f"{path}.{name}")
        for name in shape.required_members:
            expect(name in value, self.model, f"{path}.{name} is required and missing")

    def scalar(self, shape, value, path):
        kinds = {
            "string": str, "blob": str, "boolean": bool, "integer": int, "long": int,
            "float": (int, float), "double": (int, float), "timestamp": (int, float),
        }
        fits = isinstance(value, kinds[shape.type_name])
        if shape.type_name != "boolean":
            fits = fits and not isinstance(value, bool)
        expect(fits, self.model, f"{path} is {value!r}, not a {shape.type_name}")
        if shape.type_name == "blob":
            base64.b64decode(value, validate=True)
        if shape.type_name == "string" and getattr(shape, "enum", None):
            expect(value in shape.enum, self.model, f"{path} is {value!r}, not one of {shape.enum}")


class XmlWalk:
    """Compares an XML element with a shape."""

    def __init__(self, model):
        self.model = model

    def value(self, shape, element, path):
        if isinstance(shape, StructureShape):
            self.structure(shape, element, path)
        elif isinstance(shape, ListShape):
            name = shape.member.serialization.get("name", "member")
            for index, child in enumerate(element):
                expect(local(child) == name, self.model, f"{path} holds <{local(child)}>, not <{name}>")
                self.value(shape.member, child, f"{path}[{index}]")
        elif isinstance(shape, MapShape):
            for entry in element:
                expect(local(entry) == "entry", self.model, f"{path} holds <{local(entry)}>")
        else:
            self.scalar(shape, element.text or "", path)

    def structure(self, shape, element, path):
        attributes = {
            name for name, member in shape.members.items()
            if member.serialization.get("xmlAttribute")
            and any(local_name(key) == member.serialization["name"].split(":")[-1] for key in element.attrib)
        }
        self.members(shape.members, set(shape.required_members) - attributes, element, path)

    def members(self, members, required, element, path):
        by_tag = {}
        for name, member in members.items():
            if member.serialization.get("xmlAttribute"):
                continue
            tag = member.serialization.get("name", name)
            if isinstance(member, ListShape) and member.serialization.get("flattened"):
                tag = member.serialization.get("name") or member.member.serialization.get("name", name)
            by_tag[tag] = (name, member)
        found = children(element)
        for tag, elements in found.items():
            expect(tag in by_tag, self.model, f"{path}.<{tag}> is unknown")
            name, member = by_tag[tag]
            if isinstance(member, ListShape) and member.serialization.get("flattened"):
                for index, child in enumerate(elements):
                    self.value(member.member, child, f"{path}.{name}[{index}]")
                continue
            expect(len(elements) == 1, self.model, f"{path}.<{tag}> comes {len(elements)} times")
            self.value(member, elements[0], f"{path}.{name}")
        present = {by_tag[tag][0] for tag in found}
        missing = required - present
        expect(not missing, self.model, f"{path} lacks required {sorted(missing)}")

    def scalar(self, shape, text, path):
        kind = shape.type_name
        if kind in ("integer", "long"):
            fits = re.fullmatch(r"-?\d+", text) is not None
        elif kind == "boolean":
            fits = text.lower() in ("true", "false")
        elif kind == "timestamp":
            fits = isinstance(parse_timestamp(text), datetime.datetime)
        elif kind == "string" and getattr(shape, "enum", None):
            fits = text in shape.enum
        else:
            fits = True
        expect(fits, self.model, f"{path} is {text!r}, not a {kind}")


def local(element):
    """An element's name without its namespace."""
    return local_name(element.tag)


def local_name(name):
    """A name without its namespace."""
    return name.rsplit("}", 1)[-1]


def children(element):
    """An element's children by name."""
    found = {}
    for child in element:
        found.setdefault(local(child), []).append(child)
    return found
