"""What is an account's own in IAM: passwords and their policy, alias, reports, instance profiles, services' roles."""

import csv
import io
import json
import time

import pytest

from identity import EVERYTHING, allow, code, deny, fresh, looked_up, person, refused, trust, user_arn
from server import ACCOUNT, eventually

GOOD, BETTER, BEST = "Correct-Horse-1", "Battery-Staple-2", "Tr0ubadour-and-3"


@pytest.fixture(scope="module")
def iam(shared_server):
    return shared_server.client("iam")


@pytest.fixture
def no_policy(iam):
    yield
    if code_or_none(iam.delete_account_password_policy) not in (None, "NoSuchEntity"):
        raise AssertionError("the password policy stays")


def code_or_none(call, **arguments):
    try:
        call(**arguments)
    except call.__self__.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


def record_of(server, name, user):
    """The newest record of an operation that names a user."""

    def find():
        for record in looked_up(server, name):
            if (record["requestParameters"] or {}).get("userName") == user:
                return record
        return None

    return eventually(find)


class TestPasswords:
    def test_a_password_from_its_creation_to_its_end(self, shared_server, iam):
        name, _ = person(iam)
        aws = shared_server.aws
        assert aws("iam", "get-login-profile", "--user-name", name, ok=False) == "NoSuchEntity"
        made = aws(
            "iam", "create-login-profile", "--user-name", name, "--password", GOOD, "--password-reset-required"
        )["LoginProfile"]
        assert (made["UserName"], made["PasswordResetRequired"]) == (name, True)
        assert aws("iam", "get-login-profile", "--user-name", name)["LoginProfile"] == made
        again = ["iam", "create-login-profile", "--user-name", name, "--password", GOOD]
        assert aws(*again, ok=False) == "EntityAlreadyExists"
        aws("iam", "update-login-profile", "--user-name", name, "--password", BETTER, "--no-password-reset-required")
        assert not aws("iam", "get-login-profile", "--user-name", name)["LoginProfile"]["PasswordResetRequired"]
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        assert refused(iam.delete_user, UserName=name) == (
            "DeleteConflict", "Cannot delete entity, must delete login profile first."
        )
        aws("iam", "delete-login-profile", "--user-name", name)
        assert aws("iam", "delete-login-profile", "--user-name", name, ok=False) == "NoSuchEntity"
        aws("iam", "delete-user", "--user-name", name)
        nobody = ["iam", "create-login-profile", "--user-name", name, "--password", GOOD]
        assert aws(*nobody, ok=False) == "NoSuchEntity"

    def test_no_record_has_a_password(self, shared_server, iam):
        name, key = person(iam, EVERYTHING)
        iam.create_login_profile(UserName=name, Password=GOOD)
        iam.update_login_profile(UserName=name, Password=BETTER, PasswordResetRequired=False)
        shared_server.client("iam", **key).change_password(OldPassword=BETTER, NewPassword=BEST)
        created = record_of(shared_server, "CreateLoginProfile", name)
        assert created["requestParameters"] == {"userName": name, "passwordResetRequired": False}
        assert set(created["responseElements"]["loginProfile"]) == {"userName", "createDate", "passwordResetRequired"}
        updated = record_of(shared_server, "UpdateLoginProfile", name)
        assert updated["requestParameters"] == {"userName": name, "passwordResetRequired": False}
        (changed,) = [
            record for record in looked_up(shared_server, "ChangePassword")
            if record["userIdentity"].get("userName") == name
        ]
        assert changed["requestParameters"] is None and changed["responseElements"] is None
        assert changed["readOnly"] is False
        everything = json.dumps([created, updated, changed])
        assert not any(password in everything for password in (GOOD, BETTER, BEST))

    def test_a_user_changes_the_own_password_and_nobody_elses(self, shared_server, iam, no_policy):
        name, key = person(iam)
        iam.create_login_profile(UserName=name, Password=GOOD)
        mine = shared_server.client("iam", **key)
        change = {"OldPassword": GOOD, "NewPassword": BETTER}
        assert code(mine.change_password, **change) == "AccessDenied"
        assert code(mine.get_account_password_policy) == "AccessDenied"
        iam.update_account_password_policy(AllowUsersToChangePassword=True)
        assert mine.get_account_password_policy()["PasswordPolicy"]["AllowUsersToChangePassword"]
        mine.change_password(**change)
        assert refused(mine.change_password, **change) == ("AccessDenied", "The old password was incorrect.")
        denied, denied_key = person(iam, deny("iam:ChangePassword"))
        iam.create_login_profile(UserName=denied, Password=GOOD)
        assert code(shared_server.client("iam", **denied_key).change_password, **change) == "AccessDenied"
        iam.delete_account_password_policy()
        iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/IAMUserChangePassword")
        mine.change_password(OldPassword=BETTER, NewPassword=BEST)
        assert code(iam.change_password, **change) == "InvalidUserType"
        nobody, nobody_key = person(iam, EVERYTHING)
        assert code(shared_server.client("iam", **nobody_key).change_password, **change) == "NoSuchEntity"

    def test_guesses_are_few(self, shared_server, iam):
        name, key = person(iam, EVERYTHING)
        iam.create_login_profile(UserName=name, Password=GOOD)
        mine = shared_server.client("iam", **key)
        for _ in range(5):
            assert code(mine.change_password, OldPassword="wrong", NewPassword=BETTER) == "AccessDenied"
        error, message = refused(mine.change_password, OldPassword=GOOD, NewPassword=BETTER)
        assert error == "AccessDenied" and message.startswith("Too many wrong passwords were given for this user.")
        iam.update_login_profile(UserName=name, Password=BETTER)
        mine.change_password(OldPassword=BETTER, NewPassword=BEST)

    def test_what_a_password_must_be_like(self, shared_server, iam, no_policy):
        name, _ = person(iam)
        create = iam.create_login_profile
        for weak in ("Ab1!", "abcdefgh", "abcdefgh1"):
            assert code(create, UserName=name, Password=weak) == "PasswordPolicyViolation", weak
        assert code(create, UserName=name, Password="\u20ac" * 9) == "ValidationError"
        iam.update_account_password_policy(
            MinimumPasswordLength=12, RequireSymbols=True, RequireNumbers=True, RequireUppercaseCharacters=True,
            RequireLowercaseCharacters=True, PasswordReusePrevention=2,
        )
        expected = {
            "Ab1!": "a minimum length of 12", "abcdefghijk1!": "one uppercase letter", "ABCDEFGHIJK1!": "one lowercase",
            "Abcdefghijkl!": "one number", "Abcdefghijkl1": "one symbol",
        }
        for weak, why in expected.items():
            error, message = refused(create, UserName=name, Password=weak)
            assert error == "PasswordPolicyViolation" and why in message
        create(UserName=name, Password=GOOD)
        update = iam.update_login_profile
        assert code(update, UserName=name, Password=GOOD) == "PasswordPolicyViolation"
        update(UserName=name, Password=BETTER)
        assert code(update, UserName=name, Password=GOOD) == "PasswordPolicyViolation"
        update(UserName=name, Password=BEST)
        update(UserName=name, Password=GOOD)

    def test_a_hundred_passwords_at_once_are_hashed_in_turn(self, shared_server, iam):
        """Hashing is bounded: calls wait for it, other calls do not wait for them."""
        from concurrent.futures import ThreadPoolExecutor

        names = [person(iam)[0] for _ in range(12)]
        with ThreadPoolExecutor(12) as pool:
            made = [pool.submit(iam.create_login_profile, UserName=name, Password=GOOD) for name in names]
            before = time.monotonic()
            iam.list_users(MaxItems=1)
            assert time.monotonic() - before < 5
            assert {future.result()["LoginProfile"]["UserName"] for future in made} == set(names)


class TestPasswordPolicy:
    def test_a_policy_is_set_whole(self, shared_server, iam, no_policy):
        aws = shared_server.aws
        missing = f"The Password Policy with domain name {ACCOUNT} cannot be found."
        assert refused(iam.get_account_password_policy) == ("NoSuchEntity", missing)
        assert refused(iam.delete_account_password_policy) == ("NoSuchEntity", missing)
        aws(
            "iam", "update-account-password-policy", "--minimum-password-length", "14", "--require-symbols",
            "--max-password-age", "90", "--password-reuse-prevention", "24", "--hard-expiry",
        )
        policy = aws("iam", "get-account-password-policy")["PasswordPolicy"]
        assert policy == {
            "MinimumPasswordLength": 14, "RequireSymbols": True, "RequireNumbers": False,
            "RequireUppercaseCharacters": False, "RequireLowercaseCharacters": False,
            "AllowUsersToChangePassword": False, "ExpirePasswords": True, "MaxPasswordAge": 90,
            "PasswordReusePrevention": 24, "HardExpiry": True,
        }
        iam.update_account_password_policy()
        defaults = iam.get_account_password_policy()["PasswordPolicy"]
        assert (defaults["MinimumPasswordLength"], defaults["ExpirePasswords"]) == (6, False)
        assert not {"MaxPasswordAge", "PasswordReusePrevention", "HardExpiry"} & set(defaults)
        newest = looked_up(shared_server, "UpdateAccountPasswordPolicy", count=2)[-1]
        assert newest["eventSource"] == "iam.amazonaws.com" and newest["responseElements"] is None

    def test_its_record_has_what_was_asked(self, shared_server, iam, no_policy):
        iam.update_account_password_policy(MinimumPasswordLength=9, RequireNumbers=True, MaxPasswordAge=30)

        def find():
            records = looked_up(shared_server, "UpdateAccountPasswordPolicy")
            wanted = {"minimumPasswordLength": 9, "requireNumbers": True, "maxPasswordAge": 30}
            return [e for e in records if e["requestParameters"] == wanted] or None

        assert eventually(find)[0]["readOnly"] is False

    def test_its_numbers_have_bounds(self, shared_server):
        careless = shared_server.client("iam", parameter_validation=False).update_account_password_policy
        for wrong in (
            {"MinimumPasswordLength": 5}, {"MinimumPasswordLength": 129}, {"MaxPasswordAge": 0},
            {"MaxPasswordAge": 1096}, {"PasswordReusePrevention": 25}, {"PasswordReusePrevention": 0},
        ):
            assert code(careless, **wrong) == "ValidationError", wrong


class TestAccount:
    def test_the_alias(self, shared_server, iam):
        aws = shared_server.aws
        first, second = fresh("alias"), fresh("alias")
        aws("iam", "create-account-alias", "--account-alias", first)
        assert code(iam.create_account_alias, AccountAlias=first) == "EntityAlreadyExists"
        aws("iam", "create-account-alias", "--account-alias", second)
        assert aws("iam", "list-account-aliases")["AccountAliases"] == [second]
        assert code(iam.delete_account_alias, AccountAlias=first) == "NoSuchEntity"
        aws("iam", "delete-account-alias", "--account-alias", second)
        assert aws("iam", "list-account-aliases")["AccountAliases"] == []
        careless = shared_server.client("iam", parameter_validation=False)
        for wrong in ("ab", "With-Capitals", "two--hyphens", "-before", "123456789012"):
            assert code(careless.create_account_alias, AccountAlias=wrong) == "ValidationError", wrong
        record = looked_up(shared_server, "CreateAccountAlias")[0]
        assert set(record["requestParameters"]) == {"accountAlias"}

    def test_the_summary_counts(self, iam):
        before = iam.get_account_summary()["SummaryMap"]
        name, _ = person(iam)
        profile = fresh("profile")
        iam.create_instance_profile(InstanceProfileName=profile)
        after = iam.get_account_summary()["SummaryMap"]
        assert after["Users"] == before["Users"] + 1
        assert after["InstanceProfiles"] == before["InstanceProfiles"] + 1
        assert (after["AccountAccessKeysPresent"], after["AccountPasswordPresent"]) == (1, 0)
        iam.delete_instance_profile(InstanceProfileName=profile)
        model = iam.meta.service_model.shape_for("summaryKeyType").enum
        assert set(after) == set(model)

    def test_the_credential_report(self, server):
        """In a server of its own: a report stays as it is for four hours."""
        iam = server.client("iam")
        assert code(iam.get_credential_report) == "ReportNotPresent"
        alice, key = person(iam, EVERYTHING, name="alice")
        iam.create_login_profile(UserName=alice, Password=GOOD)
        iam.update_account_password_policy(MaxPasswordAge=30)
        server.client("s3", region="eu-west-1", **key).list_buckets()
        bob, _ = person(iam, name="bob", Path="/staff/")
        started = server.aws("iam", "generate-credential-report")
        assert started["State"] == "STARTED"
        assert server.aws("iam", "generate-credential-report") == {"State": "COMPLETE"}
        report = iam.get_credential_report()
        assert report["ReportFormat"] == "text/csv"
        rows = {row["user"]: row for row in csv.DictReader(io.StringIO(report["Content"].decode()))}
        assert list(rows) == ["<root_account>", "alice", "bob"]
        root, alices = rows["<root_account>"], rows["alice"]
        assert (root["arn"], root["mfa_active"]) == (f"arn:aws:iam::{ACCOUNT}:root", "false")
        assert (root["access_key_1_active"], root["access_key_1_last_used_service"]) == ("true", "iam")
        assert (alices["password_enabled"], alices["password_last_used"]) == ("true", "no_information")
        assert alices["password_next_rotation"] > alices["password_last_changed"]
        assert alices["access_key_1_last_used_region"] == "eu-west-1"
        assert (alices["access_key_1_last_used_service"], alices["access_key_2_active"]) == ("s3", "false")
        assert rows["bob"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/staff/bob"
        assert rows["bob"]["password_enabled"] == "false"
        assert len(next(csv.reader(io.StringIO(report["Content"].decode())))) == 22
        iam.delete_login_profile(UserName="alice")
        assert iam.get_credential_report()["Content"] == report["Content"]

    def test_the_roots_own_keys(self, server):
        """Without a user's name, CreateAccessKey and its kin are about the caller's own: the root's too."""
        root = server.client("iam")
        (present,) = root.list_access_keys()["AccessKeyMetadata"]
        made = root.create_access_key()["AccessKey"]
        assert made["UserName"] == "root"
        assert code(root.create_access_key) == "LimitExceeded"
        second = server.client("sts", key=made["AccessKeyId"], secret=made["SecretAccessKey"])
        assert second.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
        used = root.get_access_key_last_used(AccessKeyId=made["AccessKeyId"])["AccessKeyLastUsed"]
        assert (used["ServiceName"], used["Region"]) == ("sts", "us-east-1")
        root.update_access_key(AccessKeyId=made["AccessKeyId"], Status="Inactive")
        assert code(second.get_caller_identity) == "InvalidClientTokenId"
        root.delete_access_key(AccessKeyId=made["AccessKeyId"])
        assert [key["AccessKeyId"] for key in root.list_access_keys()["AccessKeyMetadata"]] == [present["AccessKeyId"]]


class TestInstanceProfiles:
    def test_a_profile_from_its_creation_to_its_end(self, shared_server, iam):
        aws = shared_server.aws
        name, role = fresh("profile"), fresh("role")
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
        made = aws(
            "iam", "create-instance-profile", "--instance-profile-name", name, "--path", "/web/",
            "--tags", "Key=team,Value=web",
        )["InstanceProfile"]
        assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/web/{name}"
        assert made["InstanceProfileId"].startswith("AIPA") and made["Roles"] == []
        assert code(iam.create_instance_profile, InstanceProfileName=name) == "EntityAlreadyExists"
        both = {"InstanceProfileName": name, "RoleName": role}
        aws("iam", "add-role-to-instance-profile", "--instance-profile-name", name, "--role-name", role)
        assert code(iam.add_role_to_instance_profile, **both) == "LimitExceeded"
        found = aws("iam", "get-instance-profile", "--instance-profile-name", name)["InstanceProfile"]
        assert [r["RoleName"] for r in found["Roles"]] == [role]
        assert found["Tags"] == [{"Key": "team", "Value": "web"}]
        for_role = aws("iam", "list-instance-profiles-for-role", "--role-name", role)["InstanceProfiles"]
        under = aws("iam", "list-instance-profiles", "--path-prefix", "/web/")["InstanceProfiles"]
        assert [p["InstanceProfileName"] for p in for_role] == [name]
        assert name in [p["InstanceProfileName"] for p in under]
        assert name not in [p["InstanceProfileName"] for p in iam.list_instance_profiles(PathPrefix="/x/")["InstanceProfiles"]]
        details = iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
        (detail,) = [d for page in details for d in page["RoleDetailList"] if d["RoleName"] == role]
        assert [p["InstanceProfileName"] for p in detail["InstanceProfileList"]] == [name]
        assert code(iam.delete_role, RoleName=role) == "DeleteConflict"
        assert code(iam.delete_instance_profile, InstanceProfileName=name) == "DeleteConflict"
        aws("iam", "tag-instance-profile", "--instance-profile-name", name, "--tags", "Key=tier,Value=front")
        aws("iam", "untag-instance-profile", "--instance-profile-name", name, "--tag-keys", "team")
        tags = aws("iam", "list-instance-profile-tags", "--instance-profile-name", name)["Tags"]
        assert tags == [{"Key": "tier", "Value": "front"}]
        aws("iam", "remove-role-from-instance-profile", "--instance-profile-name", name, "--role-name", role)
        assert code(iam.remove_role_from_instance_profile, **both) == "NoSuchEntity"
        aws("iam", "delete-instance-profile", "--instance-profile-name", name)
        iam.delete_role(RoleName=role)
        assert code(iam.get_instance_profile, InstanceProfileName=name) == "NoSuchEntity"

    def test_a_role_is_added_by_those_who_may_pass_it(self, shared_server, iam):
        name, role = fresh("profile"), fresh("role")
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
        iam.create_instance_profile(InstanceProfileName=name)
        both = {"InstanceProfileName": name, "RoleName": role}
        _, key = person(iam, allow("iam:AddRoleToInstanceProfile"))
        error, message = refused(shared_server.client("iam", **key).add_role_to_instance_profile, **both)
        assert error == "AccessDenied" and "iam:PassRole" in message
        elsewhere = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
        _, key = person(iam, allow("iam:AddRoleToInstanceProfile"), allow("iam:PassRole", condition=elsewhere))
        assert code(shared_server.client("iam", **key).add_role_to_instance_profile, **both) == "AccessDenied"
        here = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
        _, key = person(iam, allow("iam:AddRoleToInstanceProfile"), allow("iam:PassRole", condition=here))
        shared_server.client("iam", **key).add_role_to_instance_profile(**both)


def test_tags_are_counted(iam):
    name = fresh("user")
    many = [{"Key": str(i), "Value": ""} for i in range(51)]
    assert code(iam.create_user, UserName=name, Tags=many) == "ValidationError"
    iam.create_user(UserName=name, Tags=many[:50])
    assert code(iam.tag_user, UserName=name, Tags=many[50:]) == "LimitExceeded"
    assert code(iam.untag_user, UserName=name, TagKeys=[tag["Key"] for tag in many]) == "ValidationError"
    iam.untag_user(UserName=name, TagKeys=[tag["Key"] for tag in many[:50]])
    assert iam.list_user_tags(UserName=name)["Tags"] == []


class TestServiceLinkedRoles:
    ROLE = "AWSServiceRoleForCloudTrail"

    def test_a_services_role_is_nobodys_to_change(self, server):
        iam = server.client("iam")
        made = server.aws("iam", "create-service-linked-role", "--aws-service-name", "cloudtrail.amazonaws.com")["Role"]
        arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/cloudtrail.amazonaws.com/{self.ROLE}"
        assert made["Arn"] == arn
        (attached,) = iam.list_attached_role_policies(RoleName=self.ROLE)["AttachedPolicies"]
        assert attached["PolicyArn"].endswith(":policy/aws-service-role/CloudTrailServiceRolePolicy")
        assert code(iam.create_service_linked_role, AWSServiceName="cloudtrail.amazonaws.com") == "InvalidInput"
        assert code(iam.create_service_linked_role, AWSServiceName="ec2.amazonaws.com") == "InvalidInput"
        everything = json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
        admin = "arn:aws:iam::aws:policy/AdministratorAccess"
        trusted = trust({"AWS": ACCOUNT})
        for call, arguments in (
            (iam.delete_role, {}),
            (iam.attach_role_policy, {"PolicyArn": admin}),
            (iam.detach_role_policy, {"PolicyArn": attached["PolicyArn"]}),
            (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": everything}),
            (iam.update_assume_role_policy, {"PolicyDocument": trusted}),
            (iam.put_role_permissions_boundary, {"PermissionsBoundary": admin}),
            (iam.update_role, {"MaxSessionDuration": 7200}),
        ):
            # Not every operation's model declares UnmodifiableEntity; the code is the same.
            assert code(call, RoleName=self.ROLE, **arguments) == "UnmodifiableEntity", call.__name__
        iam.update_role_description(RoleName=self.ROLE, Description="ours")
        task = iam.delete_service_linked_role(RoleName=self.ROLE)["DeletionTaskId"]
        assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
        assert code(iam.get_role, RoleName=self.ROLE) == "NoSuchEntity"
        assert code(iam.get_service_linked_role_deletion_status, DeletionTaskId=task[:-1] + "x") == "NoSuchEntity"
        record = looked_up(server, "CreateServiceLinkedRole")[-1]
        assert record["requestParameters"] == {"aWSServiceName": "cloudtrail.amazonaws.com"}

    def test_its_path_and_policy_are_not_for_others(self, iam):
        role = fresh("role")
        mine = {"AssumeRolePolicyDocument": trust({"AWS": ACCOUNT}), "RoleName": role}
        assert code(iam.create_role, Path="/aws-service-role/cloudtrail.amazonaws.com/", **mine) == "InvalidInput"
        iam.create_role(**mine)
        policy = "arn:aws:iam::aws:policy/aws-service-role/CloudTrailServiceRolePolicy"
        assert code(iam.attach_role_policy, RoleName=role, PolicyArn=policy) == "PolicyNotAttachable"

    def test_who_may_have_one_made(self, server):
        iam = server.client("iam")
        _, key = person(iam)
        name = iam.list_users()["Users"][0]["UserName"]
        iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AWSOrganizationsFullAccess")
        mine = server.client("iam", **key)
        assert code(mine.create_service_linked_role, AWSServiceName="cloudtrail.amazonaws.com") == "AccessDenied"
        mine.create_service_linked_role(AWSServiceName="organizations.amazonaws.com")


class TestAwsManagedPolicies:
    def test_they_stand_where_awss_do(self, iam):
        pages = iam.get_paginator("list_policies").paginate(Scope="AWS")
        found = {policy["PolicyName"]: policy["Arn"] for page in pages for policy in page["Policies"]}
        base = "arn:aws:iam::aws:policy/"
        expected = {
            "AdministratorAccess": base, "PowerUserAccess": base, "ReadOnlyAccess": base, "SecurityAudit": base,
            "ViewOnlyAccess": base + "job-function/", "AWSCloudTrail_FullAccess": base,
            "AWSCloudTrail_ReadOnlyAccess": base, "AmazonS3FullAccess": base, "AmazonS3ReadOnlyAccess": base,
            "IAMFullAccess": base, "IAMReadOnlyAccess": base, "IAMUserChangePassword": base,
            "AWSKeyManagementServicePowerUser": base, "AWSOrganizationsFullAccess": base,
            "AWSOrganizationsReadOnlyAccess": base, "AWSDenyAll": base,
            "CloudTrailServiceRolePolicy": base + "aws-service-role/",
        }
        assert {name: path + name for name, path in expected.items()}.items() <= found.items()
        under = iam.list_policies(Scope="AWS", PathPrefix="/job-function/")["Policies"]
        assert [policy["PolicyName"] for policy in under] == ["ViewOnlyAccess"]

    @pytest.mark.parametrize("policy", ["ReadOnlyAccess", "SecurityAudit"])
    def test_an_auditor_reads_and_does_not_write(self, shared_server, iam, policy):
        name, key = person(iam)
        iam.attach_user_policy(UserName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        look, trails = shared_server.client("iam", **key), shared_server.client("cloudtrail", **key)
        assert look.get_account_summary()["SummaryMap"] and look.list_users()["Users"]
        assert trails.lookup_events(MaxResults=1)["Events"] and "trailList" in trails.describe_trails()
        assert look.generate_credential_report()["State"] in ("STARTED", "COMPLETE")
        assert code(look.create_user, UserName=fresh("user")) == "AccessDenied"
        assert code(trails.delete_trail, Name="any-trail") == "AccessDeniedException"
        assert code(shared_server.client("s3", **key).create_bucket, Bucket=fresh("bucket")) == "AccessDenied"

    def test_a_power_user_does_everything_but_manage_people(self, shared_server, iam):
        name, key = person(iam)
        iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
        shared_server.client("s3", **key).list_buckets()
        mine = shared_server.client("iam", **key)
        assert mine.list_roles()["Roles"] is not None
        assert code(mine.list_users) == "AccessDenied"
        assert code(mine.create_user, UserName=fresh("user")) == "AccessDenied"

    def test_deny_all_wins(self, shared_server, iam):
        name, key = person(iam, EVERYTHING)
        iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
        assert code(shared_server.client("iam", **key).list_users) == "AccessDenied"
