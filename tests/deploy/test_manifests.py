"""The Kubernetes manifests: valid by the schemas of Kubernetes, and one fits the other."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kustomize import build, containers

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
FOLDERS = ["base", "overlays/canary", "overlays/gcs"]


@pytest.fixture(scope="module", params=FOLDERS)
def objects(request) -> list[dict[str, Any]]:
    return build(KUBERNETES / request.param)


def one(objects, kind: str) -> dict[str, Any]:
    (found,) = [o for o in objects if o["kind"] == kind]
    return found


def pod(objects) -> dict[str, Any]:
    return one(objects, "Deployment")["spec"]["template"]


def flags(objects) -> dict[str, str]:
    (container,) = containers(objects)
    return dict(word.removeprefix("--").split("=", 1) for word in container["args"])


def mounted_files(objects, folder: str) -> dict[str, str]:
    """Files of the ConfigMaps that are mounted at a folder, by path."""
    (container,) = containers(objects)
    (mount,) = [m for m in container["volumeMounts"] if m["mountPath"] == folder]
    (volume,) = [v for v in pod(objects)["spec"]["volumes"] if v["name"] == mount["name"]]
    names = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
    maps = {o["metadata"]["name"]: o["data"] for o in objects if o["kind"] == "ConfigMap"}
    assert set(names) == set(maps)
    assert "subPath" not in mount  # a file mounted on its own does not follow its ConfigMap
    return {f"{folder}/{file}": text for name in names for file, text in maps[name].items()}


def test_every_folder_is_tested():
    assert sorted(FOLDERS) == sorted(str(p.parent.relative_to(KUBERNETES)) for p in KUBERNETES.rglob("kustomiz*.yaml"))


@pytest.mark.parametrize("version", ["1.27", "1.32", "1.37"])
def test_schemas(objects, version):
    claim = yaml.safe_load((KUBERNETES / "release-base.yaml").read_text())
    for item in [*objects, claim]:
        kubernetes_validate.validate(item, version, strict=True)


def test_the_schemas_refuse_what_is_wrong(objects):
    deployment = json.loads(json.dumps(one(objects, "Deployment")))
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(deployment, "1.32", strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_kubectl_makes_the_same(folder):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    command = ["kubectl", "kustomize", str(KUBERNETES / folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def without_hashes(objects):
        return json.loads(re.sub(r"lcron-server-[0-9a-z]{10}", "lcron-server-HASH", json.dumps(objects)))

    def key(item):
        return item["kind"], item["metadata"]["name"]

    real, ours = (
        sorted(without_hashes(objects), key=key)
        for objects in (list(yaml.safe_load_all(text)), build(KUBERNETES / folder))
    )
    assert ours == real


def test_selectors_find_the_pods(objects):
    labels = pod(objects)["metadata"]["labels"].items()
    selectors = [
        one(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(objects, "Service")["spec"]["selector"],
        *(c["labelSelector"]["matchLabels"] for c in pod(objects)["spec"]["topologySpreadConstraints"]),
    ]
    assert len(selectors) == 5
    for selector in selectors:
        assert selector
        assert selector.items() <= labels


def test_ports_are_those_of_the_flags(objects):
    (container,) = containers(objects)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": int(flags(objects)["port"]), "http": int(flags(objects)["rest_api_port"])}
    service = {p["name"]: (p["port"], p["targetPort"]) for p in one(objects, "Service")["spec"]["ports"]}
    assert service == {"grpc": (8500, "grpc"), "http": (8501, "http")}
    assert container["startupProbe"]["grpc"]["port"] == container["livenessProbe"]["grpc"]["port"] == ports["grpc"]
    assert container["readinessProbe"]["httpGet"]["port"] == "http"
    assert pod(objects)["metadata"]["annotations"]["prometheus.io/port"] == str(ports["http"])


def test_files_of_the_flags_are_mounted(objects):
    files = mounted_files(objects, "/config")
    named = [value for name, value in flags(objects).items() if name.endswith("_file")]
    assert len(named) == 3
    assert set(named) == set(files)
    assert pod(objects)["metadata"]["annotations"]["prometheus.io/path"] in files["/config/monitoring.config"]


def test_models_config_keeps_its_name_and_the_rest_does_not(objects):
    names = sorted(o["metadata"]["name"] for o in objects if o["kind"] == "ConfigMap")
    assert names[0] == "lcron-models"
    assert re.fullmatch("lcron-server-[0-9a-f]{10}", names[1])
    assert int(flags(objects)["model_config_file_poll_wait_seconds"]) > 0


def test_volumes_are_mounted_and_releases_read_only(objects):
    (container,) = containers(objects)
    volumes = {volume["name"]: volume for volume in pod(objects)["spec"]["volumes"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert set(volumes) == set(mounts)
    base_paths = re.findall('base_path: "(.*)"', mounted_files(objects, "/config")["/config/models.config"])
    assert len(base_paths) == 3
    if "releases" not in volumes:
        assert all(path.startswith("gs://") for path in base_paths)
        return
    assert volumes["releases"]["persistentVolumeClaim"] == {"claimName": "lcron-releases", "readOnly": True}
    assert mounts["releases"]["readOnly"]
    assert {str(Path(path).parent) for path in base_paths} == {mounts["releases"]["mountPath"]}
    claim = yaml.safe_load((KUBERNETES / "release-base.yaml").read_text())
    assert claim["metadata"]["name"] == "lcron-releases"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_service_account_exists(objects):
    accounts = [o["metadata"]["name"] for o in objects if o["kind"] == "ServiceAccount"]
    assert pod(objects)["spec"].get("serviceAccountName") == (accounts[0] if accounts else None)


def test_autoscaler_and_disruption_budget(objects):
    deployment, autoscaler = one(objects, "Deployment"), one(objects, "HorizontalPodAutoscaler")["spec"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"]}
    assert autoscaler["scaleTargetRef"] == target
    assert "replicas" not in deployment["spec"]  # or every apply would undo what the autoscaler did
    disrupted = one(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"]
    assert autoscaler["maxReplicas"] > autoscaler["minReplicas"] > disrupted
    (container,) = containers(objects)
    assert container["resources"]["requests"]["cpu"]  # what utilization is a share of


def test_a_pod_ends_after_its_connections(objects):
    (container,) = containers(objects)
    pairs = dict(pair.split("=") for pair in flags(objects)["grpc_channel_arguments"].split(","))
    oldest_s = 1.1 * int(pairs["grpc.max_connection_age_ms"]) / 1000
    grace_s = int(pairs["grpc.max_connection_age_grace_ms"]) / 1000
    word, pause_s = container["lifecycle"]["preStop"]["exec"]["command"]
    assert (word, int(pause_s) > oldest_s) == ("sleep", True)
    spec = pod(objects)["spec"]
    assert spec["terminationGracePeriodSeconds"] > max(int(pause_s), oldest_s + grace_s)
    assert spec["shareProcessNamespace"] is True  # as process 1 the server would ignore SIGTERM


def test_the_container_may_not_do_much(objects):
    (container,) = containers(objects)
    spec = pod(objects)["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}
