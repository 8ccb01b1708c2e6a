"""The Messages API over HTTP; nothing outside this folder knows HTTP."""
