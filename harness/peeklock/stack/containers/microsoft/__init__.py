"""Microsoft's own Service Bus emulator: its container with the SQL Server that it needs, and what a topology becomes for it.

It has no history of messages, no reset, no faults and no clock, so scenarios run on Peeklock's emulator; this is for holding
a service, or Peeklock itself, against the official one. **It was written from the documentation and run against a stand-in
only**: the machines that Peeklock is made on cannot pull the image.
"""
