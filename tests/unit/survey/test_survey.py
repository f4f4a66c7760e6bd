"""What a repository tells of itself: its compose file, Config.json, templates and code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from peeklock.errors import PeeklockError
from peeklock.scenario.loader import load
from peeklock.survey import Draft, scenario_text, survey
from peeklock.survey.variables import by_name, by_value
from peeklock.verbs import VOCABULARY

HOSTS = {"db": "postgres", "azurite": "blobs", "sb": "servicebus"}
PARTS = "${postgres.user}:${postgres.password}@${postgres.host}:${postgres.port}/${postgres.database}"


def drafted(root: Path, *sources: str, **files: str) -> Draft:
    """Write files (`__` is a slash, `_DOT_` a dot) and look round; what comes of it is a scenario that is well written."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    draft = survey(root, [root / source for source in sources])
    (root / "peeklock.yaml").touch()
    first = root / "scenarios" / "first.yaml"
    first.parent.mkdir(exist_ok=True)
    first.write_text(scenario_text(draft, first), encoding="utf-8")
    load(first, VOCABULARY)
    return draft


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("BUS", "Endpoint=sb://sb;SharedAccessKeyName=x;SharedAccessKey=y", "${servicebus.connection_string}"),
        ("FILES", "UseDevelopmentStorage=true", "${blobs.connection_string}"),
        ("DATABASE", "postgres://u:p@db:5432/x", "${postgres.url}"),
        ("DATABASE", "postgresql+asyncpg://u:p@db/x?ssl=disable", f"postgresql+asyncpg://{PARTS}?ssl=disable"),
        ("CS", "Host=db;Database=x;Username=u;Password=p", "Host=${postgres.host};Database=${postgres.database};Username=${postgres.user};Password=${postgres.password}"),
        ("PGHOST", "db", "${postgres.host}"),
        ("DB_PASSWORD", "secret", "${postgres.password}"),
        ("API", "http://api:8000/v1", "${services.api.url}/v1"),
        ("BLOBS", "http://azurite:10000/devstoreaccount1/pictures", "${blobs.url}/pictures"),
        ("LEVEL", "info", None),
        ("OTHER", "http://example.com", None),
    ],
)  # fmt: skip
def test_a_value_tells_what_it_means(name: str, value: str, meant: str | None) -> None:
    found = by_value(name, value, HOSTS, {"api"})
    assert (found[0] if found else None) == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SERVICEBUS_CONN_STR", "${servicebus.connection_string}"),
        ("AzureServiceBusConnection".upper(), "${servicebus.connection_string}"),
        ("STORAGE_CONNECTION_STRING", "${blobs.connection_string}"),
        ("POSTGRES_URL", "${postgres.url}"),
        ("POSTGRES_DB", "${postgres.database}"),
        ("DB_NAME", "${postgres.database}"),
        ("STORAGE_ACCOUNT_NAME", "${blobs.account}"),
        ("PORT", "${service.port}"),
        ("THUMB_SIZE", None),
        ("CONNECTION_TIMEOUT", None),
    ],
)
def test_a_name_tells_what_it_means(name: str, meant: str | None) -> None:
    found = by_name(name)
    assert (found[0] if found else None) == meant


COMPOSE = """\
services:
  pg: {image: "postgis/postgis:16-3.4"}
  cache: {image: "redis:7"}
  web:
    build: .
    command: sh -c "alembic upgrade head && exec gunicorn -b 0.0.0.0:8080 web:app"
    ports: ["127.0.0.1:8080:8080"]
    env_file: web.env
    environment: {PRICE: "5$$", MODE: "${MODE:-fast}", DEBUG: true, LISTEN_PORT: "8080"}
    deploy: {replicas: 2}
    cap_add: [SYS_PTRACE]
    depends_on: {pg: {condition: service_healthy}}
"""


def test_a_compose_file_becomes_services_of_this_machine(tmp_path: Path) -> None:
    """Without the shell, on loopback and a port of its own; interpolated, and with everything told that is left out."""
    draft = drafted(tmp_path, compose_DOT_yaml=COMPOSE, web_DOT_env="DB=postgresql://u:p@pg/x\n")
    web = draft.services["web"]
    assert web.run == ["gunicorn", "-b", "127.0.0.1:${service.port}", "web:app"]
    assert web.env == {
        "DB": "${postgres.url}", "PRICE": "5$$", "MODE": "fast", "DEBUG": "true", "LISTEN_PORT": "${service.port}",
    }  # fmt: skip
    assert (web.replicas, web.depends_on, draft.parts) == (2, [], {"postgres"})
    assert [text.partition(": ")[2] for text in draft.passed_over] == [
        "cache (redis:7) is not started here; run it yourself, or add it to `services` as `image: redis:7`",
        "web: cap_add",
    ]


def test_a_dockerfile_tells_how_its_last_stage_is_started(tmp_path: Path) -> None:
    text = 'FROM node AS build\nCMD ["npm", "test"]\nFROM node\nENV MODE=prod\nENTRYPOINT ["node"]\nCMD ["dist/main.js", \\\n "-v"]\n'
    draft = drafted(tmp_path, compose_DOT_yaml="services: {app: {build: {context: app}}}\n", app__Dockerfile=text)
    assert draft.services["app"].run == ["node", "dist/main.js", "-v"]
    assert draft.services["app"].env == {"MODE": "prod"}


BICEP = """\
param names array = [
  'jobs'
  'results'
]
var prefix = 'prod'
resource ns 'Microsoft.ServiceBus/namespaces@2022-10-01-preview' = if (true) {
  name: 'sb'
  resource topic 'topics' = {
    name: 'news'
    resource all 'subscriptions' = {
      name: 'all'
      properties: { maxDeliveryCount: 4, requiresSession: true, clientAffine: false }
      resource rule 'rules' = {
        name: 'eu'
        properties: { filterType: 'SqlFilter', sqlFilter: { sqlExpression: 'region = \\'eu\\'' } }
      }
    }
  }
}
resource queues 'Microsoft.ServiceBus/namespaces/queues@2022-10-01-preview' = [for (name, i) in names: {
  parent: ns
  name: '${prefix}-${name}'
  properties: {
    lockDuration: 'PT1M30S' /* long */
    requiresDuplicateDetection: true
    forwardTo: empty(name) ? null : 'x'
  }
}]
"""


def test_a_bicep_file_is_read_with_its_loops_and_what_is_nested(tmp_path: Path) -> None:
    draft = drafted(tmp_path, infra__main_DOT_bicep=BICEP)
    same = {"lock_duration": "1m30s", "duplicate_detection_window": "10m"}
    assert draft.queues == {"prod-jobs": same, "prod-results": same}
    rule = {"eu": {"sql": "region = 'eu'"}}
    assert draft.topics == {
        "news": {"subscriptions": {"all": {"max_delivery_count": 4, "requires_session": True, "rules": rule}}}
    }
    assert [text.partition(": ")[2] for text in draft.passed_over] == [
        "all: clientAffine: False",
        "prod-jobs: forwardTo: empty(name)?null:'x'",
        "prod-results: forwardTo: empty(name)?null:'x'",
    ]


def test_an_arm_template_is_read_with_its_parameters(tmp_path: Path) -> None:
    bus = "Microsoft.ServiceBus/namespaces"
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "parameters": {"ns": {"defaultValue": "sb"}, "open": {"type": "string"}},
        "resources": [
            {"type": bus, "name": "[parameters('ns')]", "resources": [
                {"type": "queues", "name": "jobs", "properties": {"maxDeliveryCount": 3}},
            ]},
            {"type": f"{bus}/queues", "name": "[concat(parameters('ns'), '/results')]"},
            {"type": f"{bus}/queues", "name": "[parameters('open')]"},
            {"type": f"{bus}/topics/subscriptions", "name": "[format('{0}/news/all', parameters('ns'))]"},
            {"type": "Microsoft.DBforPostgreSQL/flexibleServers", "name": "pg"},
        ],
    }  # fmt: skip
    draft = drafted(tmp_path, azuredeploy_DOT_json=json.dumps(template))
    assert draft.queues == {"jobs": {"max_delivery_count": 3}, "results": {}}
    assert draft.topics == {"news": {"subscriptions": {"all": {}}}}
    assert draft.parts == {"servicebus", "postgres"}
    assert draft.passed_over == ["azuredeploy.json: a queue whose name is only known when it is deployed"]


TERRAFORM = """\
variable "queues" {
  type    = list(string)
  default = ["jobs", "results"]
}
locals { prefix = "prod" }
# resource "azurerm_servicebus_queue" "old" { name = "old" }
resource "azurerm_servicebus_queue" "all" {
  for_each                             = toset(var.queues)
  name                                 = "${local.prefix}-${each.value}"
  namespace_id                         = azurerm_servicebus_namespace.main.id
  max_delivery_count                   = 4
  lock_duration                        = "PT30S"
  dead_lettering_on_message_expiration = true
  default_message_ttl                  = var.ttl
}
resource "azurerm_servicebus_topic" "news" {
  name         = "news"
  namespace_id = azurerm_servicebus_namespace.main.id
}
resource "azurerm_servicebus_subscription" "eu" {
  name               = "eu"
  topic_id           = azurerm_servicebus_topic.news.id
  max_delivery_count = 1
}
resource "azurerm_servicebus_subscription_rule" "only" {
  name            = "only"
  subscription_id = azurerm_servicebus_subscription.eu.id
  filter_type     = "CorrelationFilter"
  correlation_filter {
    label = "eu"
  }
}
resource "azurerm_storage_container" "files" {
  name = "files"
}
"""


def test_terraform_is_read_with_its_variables_and_references(tmp_path: Path) -> None:
    draft = drafted(tmp_path, infra__main_DOT_tf=TERRAFORM)
    same = {"max_delivery_count": 4, "lock_duration": "30s", "dead_lettering_on_expiration": True}
    assert draft.queues == {"prod-jobs": same, "prod-results": same}
    rules = {"only": {"correlation": {"subject": "eu"}}}
    assert draft.topics == {"news": {"subscriptions": {"eu": {"max_delivery_count": 1, "rules": rules}}}}
    assert draft.containers == ["files"]
    assert [text.partition(": ")[2] for text in draft.passed_over] == [
        "prod-jobs: defaultMessageTimeToLive: var.ttl",
        "prod-results: defaultMessageTimeToLive: var.ttl",
    ]


OPENAPI = """\
openapi: 3.0.3
paths:
  /items: {get: {responses: {"200": {description: all}}}}
  /items/{id}: {get: {responses: {"200": {description: one}}}}
  /mine: {get: {security: [{key: []}], responses: {"200": {description: mine}}}}
  /search: {get: {parameters: [{name: q, in: query, required: true}], responses: {"200": {description: some}}}}
"""


def test_an_openapi_document_gives_requests_that_need_to_know_nothing(tmp_path: Path) -> None:
    app = "from fastapi import FastAPI\napp = FastAPI()\n"
    draft = drafted(tmp_path, openapi_DOT_yaml=OPENAPI, main_DOT_py=app)
    assert draft.requests == [("/items", 200)]
    assert "it_answers_as_promised" in (tmp_path / "scenarios" / "first.yaml").read_text("utf-8")


def test_an_asyncapi_document_gives_queues(tmp_path: Path) -> None:
    text = "asyncapi: 3.0.0\nchannels: {jobs: {address: jobs.v1}, 'user/{id}': {}, done: {}}\n"
    draft = drafted(tmp_path, asyncapi_DOT_yaml=text)
    assert list(draft.queues) == ["jobs.v1", "done"]
    assert draft.passed_over[0] == "asyncapi.yaml: the channel user/{id}: its name is only known at run time"


@pytest.mark.parametrize("end", range(0, len(BICEP), 7))
def test_a_bicep_file_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, end: int) -> None:
    (tmp_path / "main.bicep").write_text(BICEP[:end], encoding="utf-8")
    assert set(survey(tmp_path).queues) <= {"prod-jobs", "prod-results"}


SETTINGS = """\
class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_")
    database_url: str
    api_key: str
    level: str = "info"
"""
WORKER = "from azure.servicebus import ServiceBusClient\nfrom app.settings import s\nbus.get_subscription_receiver('news', 'all')\n"


def test_code_alone_tells_its_variables_and_what_it_receives(tmp_path: Path) -> None:
    """What nobody gives a value is a line to change, with the place that reads it."""
    draft = drafted(tmp_path, app__settings_DOT_py=SETTINGS, worker_DOT_py=WORKER)
    worker = draft.services["worker"]
    assert worker.env == {"APP_DATABASE_URL": "${postgres.url}"}
    assert worker.unknown == {"APP_API_KEY": "app/settings.py:4"}
    assert worker.consumes == ["news/Subscriptions/all"]
    assert draft.parts == {"postgres", "servicebus"}


def test_what_is_asked_for_is_read_and_nothing_else(tmp_path: Path) -> None:
    draft = drafted(tmp_path, "b.bicep", a_DOT_bicep=BICEP, b_DOT_bicep=BICEP.replace("prod", "test"))
    assert set(draft.queues) == {"test-jobs", "test-results"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("notes.txt", "hello", "it is not known what this is"),
        ("compose.yaml", "services: [", "cannot be read"),
        ("a.json", '{"UserConfig": {"Namespaces": []}}', "exactly one namespace"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(PeeklockError, match=message):
        survey(tmp_path, [tmp_path / name])


def test_an_empty_folder_gives_a_file_to_fill_in(tmp_path: Path) -> None:
    draft = drafted(tmp_path)
    assert draft.to_change == ["no application was found: write how yours is started below services"]
