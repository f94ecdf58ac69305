// Outputs that scroll sideways can be reached, and so scrolled, by keyboard.
function reach() {
  for (const part of document.querySelectorAll("div.cell_output, div.cell_output div")) {
    const scrolls = getComputedStyle(part).overflowX === "auto";
    if (scrolls && part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
}
addEventListener("load", reach);
addEventListener("resize", reach);
