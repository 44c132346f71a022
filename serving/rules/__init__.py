"""Rules: what is hidden, pinned, boosted, buried and spread, as data; bound to a catalogue, explained per item."""
