"""Runs a network's plugins, as a runtime does.

ADD and CHECK go forward, each plugin with the result of the one before it; DEL
goes backward, each with the final result. Where libcni leaves something to the
runtime that calls it, or loses something, this does it:

- an ADD that fails is followed by DEL of the whole chain;
- an ADD is not begun while a plugin of the chain is missing;
- a DEL goes on past a plugin that fails, so that the lease of the first plugin
  does not wait for the last one's executable; the cached result stays for the
  next try.

Source: CNI SPEC.md 1.1.0, section 3; libcni's `api.go`.
May import: delegate, errors, model, result, cni.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress

from dari import delegate
from dari.cni.args import format_args
from dari.cni.config import ATTACHMENTS, require_verb
from dari.cni.environment import container_id, interface_name
from dari.cni.runtime import cache
from dari.cni.runtime.messages import _
from dari.errors import BadConfig, DariError, SeveralFailures, UnknownContainer
from dari.fields import section, text
from dari.result import at_least, decode_result, encode_result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from dari.cni.runtime.cache import Attachment
    from dari.cni.runtime.conflist import NetworkList
    from dari.model import Json, Owner, Result

_PREVIOUS_ON_DEL = "0.4.0"
_GC_AND_STATUS = "1.1.0"


class Chain:
    """A network, and what it takes to run its plugins.

    Args:
        network: the plugins.
        folders: where their executables are.
        results: the folder of the cache.
        environ: what they inherit.
    """

    def __init__(
        self,
        network: NetworkList,
        *,
        folders: Sequence[str],
        results: str,
        environ: Mapping[str, str],
    ) -> None:
        self.network = network
        self._folders = folders
        self._results = results
        self._environ = environ

    def add(self, attachment: Attachment) -> Result:
        """Attach a container; on an error nothing is left of it.

        Raises:
            DariError: of the plugin that refused, with its code.
        """
        container_id(attachment.container_id)
        interface_name(attachment.ifname)
        for plugin in self.network.plugins:
            delegate.find(text(plugin, "type"), self._folders)
        try:
            result = self._add_all(attachment)
            self._remember(attachment, result)
        except BaseException as error:
            self._undo(attachment, error)
            raise
        return result

    def delete(self, attachment: Attachment) -> None:
        """Detach a container, as far as anything is left of it; repeatable.

        Raises:
            DariError: a plugin could not; the others have done their work.
        """
        self._delete_all(attachment, self._previous(attachment))
        cache.forget(self._results, self.network.name, attachment.owner)

    def check(self, attachment: Attachment) -> None:
        """Ask each plugin whether all is as it should be; the first complaint ends it.

        Raises:
            IncompatibleVersion: the network's version has no CHECK.
            UnknownContainer: no result is cached to check against.
            DariError: of the plugin that found damage.
        """
        require_verb("CHECK", self.network.cni_version)
        if self.network.disable_check:
            return
        previous = self._previous(attachment)
        if previous is None:
            raise UnknownContainer(
                _(
                    "{ifname} of {container}: no result of an ADD to network {network} in {results}"
                ).format(
                    ifname=attachment.ifname,
                    container=attachment.container_id,
                    network=self.network.name,
                    results=self._results,
                )
            )
        for plugin in self.network.plugins:
            self._call("CHECK", plugin, attachment, previous)

    def collect(self, valid: Collection[Owner]) -> None:
        """GC: DEL for every cached attachment that is not valid, then GC of each plugin.

        Raises:
            SeveralFailures: some failed; all others were done.
        """
        if self.network.disable_gc:
            return
        failures: list[DariError] = []
        for cached in cache.list_cached(self._results):
            stale = cached.attachment
            if cached.network == self.network.name and stale.owner not in valid:
                with _noting(failures):
                    self.delete(stale)
        if at_least(self.network.cni_version, _GC_AND_STATUS):
            listed = [{"containerID": own.container_id, "ifname": own.ifname} for own in valid]
            for plugin in self.network.plugins:
                conf = {**plugin, **dict.fromkeys(ATTACHMENTS, listed)}
                with _noting(failures):
                    self._call("GC", conf)
        if failures:
            raise SeveralFailures(
                _("GC of network {network}").format(network=self.network.name), failures
            )

    def status(self) -> None:
        """Ask each plugin whether an ADD would succeed; versions without STATUS say yes.

        Raises:
            DariError: of the plugin that could not serve one.
        """
        if at_least(self.network.cni_version, _GC_AND_STATUS):
            for plugin in self.network.plugins:
                self._call("STATUS", plugin)

    def _add_all(self, attachment: Attachment) -> Result:
        result: Result | None = None
        for plugin in self.network.plugins:
            conf = self._config(plugin, attachment, result)
            environ = self._variables("ADD", attachment)
            result = delegate.add(text(plugin, "type"), conf, environ)
        if result is None:
            raise BadConfig(_("network {network}: no plugins").format(network=self.network.name))
        return result

    def _undo(self, attachment: Attachment, reason: BaseException) -> None:
        try:
            self._delete_all(attachment, None)
        except DariError as error:
            if isinstance(reason, DariError):
                failed = _("undoing it failed too: {message}").format(message=error.message)
                reason.details = "; ".join(filter(None, (reason.details, failed)))

    def _delete_all(self, attachment: Attachment, previous: Result | None) -> None:
        failures: list[DariError] = []
        for plugin in reversed(self.network.plugins):
            with _noting(failures):
                self._call("DEL", plugin, attachment, previous)
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise SeveralFailures(
                _("DEL of network {network}").format(network=self.network.name), failures
            )

    def _call(
        self,
        command: str,
        plugin: Json,
        attachment: Attachment | None = None,
        previous: Result | None = None,
    ) -> None:
        conf = self._config(plugin, attachment, previous)
        delegate.call(text(plugin, "type"), conf, self._variables(command, attachment))

    def _config(
        self, plugin: Json, attachment: Attachment | None, previous: Result | None
    ) -> dict[str, object]:
        version = self.network.cni_version
        conf = {**plugin, "name": self.network.name, "cniVersion": version}
        if previous is not None:
            conf["prevResult"] = encode_result(previous, version)
        wanted = section(plugin, "capabilities")
        given = attachment.capability_args if attachment else {}
        chosen = {key: value for key, value in given.items() if wanted.get(key) is True}
        return {**conf, "runtimeConfig": chosen} if chosen else conf

    def _variables(self, command: str, attachment: Attachment | None) -> dict[str, str]:
        return {
            **self._environ,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": attachment.container_id if attachment else "",
            "CNI_NETNS": attachment.netns if attachment else "",
            "CNI_IFNAME": attachment.ifname if attachment else "",
            "CNI_ARGS": format_args(attachment.args) if attachment else "",
            "CNI_PATH": ":".join(self._folders),
        }

    def _remember(self, attachment: Attachment, result: Result) -> None:
        cached = cache.Cached(
            network=self.network.name,
            attachment=attachment,
            config=self.network.content,
            result=encode_result(result, self.network.cni_version),
        )
        cache.store(self._results, cached)

    def _previous(self, attachment: Attachment) -> Result | None:
        """The cached result, where there is one that can be read and the version has use for it."""
        version = self.network.cni_version
        cached = cache.load(self._results, self.network.name, attachment.owner)
        if cached is None or not at_least(version, _PREVIOUS_ON_DEL):
            return None
        with suppress(DariError):
            return decode_result(cached.result, version)
        return None


@contextmanager
def _noting(failures: list[DariError]) -> Iterator[None]:
    """Go on past an error, and remember it."""
    try:
        yield
    except DariError as error:
        failures.append(error)
