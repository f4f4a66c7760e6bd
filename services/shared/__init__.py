"""What every service needs to be a good citizen: settings, logs, correlation, a consumer loop, blobs, health."""
