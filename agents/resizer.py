"""The art director's look at the photo: what it shows, where the product is, how to say it in words."""

import base64

from pydantic import BaseModel, ConfigDict, Field

from agents.model import Answer, Model
from agents.product import Product
from agents.prompts import Prompt

PROMPT = Prompt.load("resizer")


class Box(BaseModel):
    """A rectangle in fractions of the picture, from its top left corner."""

    model_config = ConfigDict(extra="forbid")

    left: float = Field(ge=0, le=1)
    top: float = Field(ge=0, le=1)
    right: float = Field(ge=0, le=1)
    bottom: float = Field(ge=0, le=1)


class Study(BaseModel):
    """What the photo shows."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(description="What is to be seen, in a few plain words.")
    alt_text: str = Field(description="One sentence of at most 125 characters for people who cannot see it.")
    box: Box | None = Field(description="The smallest rectangle that holds the whole product, or null.")
    concerns: list[str] = Field(max_length=5, description="What a reviewer should know; usually empty.")


async def study_picture(
    model: Model, product: Product, *, picture: bytes, media_type: str, language: str
) -> Answer[Study]:
    """What `picture` (a small copy is enough) shows, described in `language` (BCP 47)."""
    data = {"product": product.model_dump(mode="json"), "language": language}
    url = f"data:{media_type};base64,{base64.b64encode(picture).decode('ascii')}"
    return await model.answer("resizer", PROMPT.render(data, picture=url), Study)
