"""Every peer by name. Their packages are imported only when one is fitted."""

from benchmarks.quality.peers import reference, with_implicit, with_lenskit, with_lightgbm, with_recbole
from benchmarks.quality.peers.base import Peer

PEERS: dict[str, Peer] = {
    peer.name: peer
    for module in (reference, with_implicit, with_lightgbm, with_lenskit, with_recbole)
    for peer in module.PEERS
}
