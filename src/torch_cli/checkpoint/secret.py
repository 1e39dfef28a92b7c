"""What must not get into a repository: files that are secrets by name or by content.

Torch has a short list of its own. detect-secrets 1.5.0, the library for this, takes 130 ms to
import and 250 for its first file (Python 3.11, 2026-11-25), and depends on requests. A checkpoint
of 20,000 files takes 200 ms. The forms are those that the services document for their keys.
"""

import re
from fnmatch import fnmatchcase

NAMES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pypirc", ".git-credentials"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.pkcs12", "*.jks", "*.keystore", "*.kdbx", "*.keytab"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk", "*.ppk"),
    *("id_rsa_*", "id_ed25519_*", "id_ecdsa_*", "ssh_host_*_key", ".pgpass", ".my.cnf", ".s3cfg"),
    *("secrets.yml", "secrets.yaml", "secrets.json", "secrets.toml", ".boto", ".dockercfg"),
    *("client_secret*.json", "service-account*.json", "service_account*.json", ".dockerconfigjson"),
    *("*.tfvars", "*.tfstate", "*.tfstate.backup", "kubeconfig", "*.kubeconfig", ".terraformrc"),
    *(".htpasswd", ".vault_pass", ".vault-token", "*.ovpn", "credentials.json"),
    *("*/.aws/credentials", "*/.docker/config.json", "*/.kube/config", "*/.gem/credentials"),
    *("*/.cargo/credentials", "*/.cargo/credentials.toml", "*/gcloud/*.db", "*/gh/hosts.yml"),
)
"""Globs of files with secrets. A glob with a slash matches the end of the path."""

HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults")
"""Names of files that are made to be shared, although the globs above match them."""

CONTENT = {
    "private key": rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    "AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": rb"\bgh[oprsu]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{60,}",
    "GitLab token": rb"\bglpat-[A-Za-z0-9_\-]{20,}",
    "Slack token": rb"\bxox[abeoprs]-[0-9A-Za-z\-]{20,}",
    "Stripe key": rb"\b[rs]k_live_[0-9A-Za-z]{20,}",
    "Google API key": rb"\bAIza[0-9A-Za-z_\-]{35}\b",
    "Anthropic key": rb"\bsk-ant-[A-Za-z0-9_\-]{24,}",
    "OpenAI key": rb"\bsk-(?:proj-|svcacct-)[A-Za-z0-9_\-]{40,}|\bsk-[A-Za-z0-9]{48}\b",
    "npm token": rb"\bnpm_[A-Za-z0-9]{36}\b|_authToken\s*=\s*[0-9a-fA-F\-]{36}",
    "PyPI token": rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_\-]{50,}",
    "Hugging Face token": rb"\bhf_[A-Za-z]{34}\b",
}
"""Forms of keys, each with its name."""


def by_name(path: str) -> bool:
    """Return whether a file's name is that of a secret."""
    path = path.lower()
    name = path.rpartition("/")[2]
    if name in HARMLESS or name.endswith(".pub"):
        return False
    return any(fnmatchcase(f"/{path}" if "/" in glob else name, glob) for glob in NAMES)


class Contents:
    """Looks for keys in files. Make one object for many files."""

    def __init__(self) -> None:
        forms = (b"(?P<f%d>%b)" % (n, form) for n, form in enumerate(CONTENT.values()))
        self._any = re.compile(b"|".join(forms))
        self._words = list(CONTENT)

    def find(self, content: bytes) -> tuple[str, bytes] | None:
        """Return the name of the first key in ``content``, and the key; ``None`` if none."""
        found = self._any.search(content)
        if found is None or found.lastgroup is None:
            return None
        return self._words[int(found.lastgroup[1:])], found[0]

    def find_new(self, content: bytes, known: bytes) -> tuple[str, bytes] | None:
        """Return the first key that is in ``content`` and not in ``known``."""
        old = {found[0] for found in self._any.finditer(known)}
        for found in self._any.finditer(content):
            if found[0] not in old and found.lastgroup is not None:
                return self._words[int(found.lastgroup[1:])], found[0]
        return None
