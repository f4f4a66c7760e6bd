"""What the endpoint reads from its environment."""

from __future__ import annotations

from pydantic import Field, SecretStr

from services.shared.settings import ServerSettings


class EndpointSettings(ServerSettings):
    """Required: ``AML_KEY``."""

    aml_key: SecretStr
    # With commas between them; the first has the traffic that asks for none.
    aml_deployments: str = "blue"
    max_image_bytes: int = Field(20 * 1024 * 1024, gt=0)
    max_image_pixels: int = Field(25_000_000, gt=0)

    @property
    def deployments(self) -> tuple[str, ...]:
        """The names of the deployments."""
        return tuple(part for each in self.aml_deployments.split(",") if (part := each.strip()))
