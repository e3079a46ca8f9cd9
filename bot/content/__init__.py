"""FAQ content: entries as numbered versions, loaded, validated and published."""
