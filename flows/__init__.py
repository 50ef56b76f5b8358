"""One file a Prefect flow: decorate and call what ``clinical_jepa.wiring`` composes. Everything runs without Prefect too."""
